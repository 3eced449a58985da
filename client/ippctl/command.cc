#include "client/ippctl/command.h"

#include <google/protobuf/util/json_util.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/ippctl/document.h"
#include "client/ippctl/json_text.h"
#include "client/ippctl/text.h"
#include "server/base/masked_text.h"

namespace ipp::ippctl {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

Format FormatOf(const FlagValues& flags) {
  const std::string name = flags.Text("output");
  if (absl::StartsWith(name, "jsonpath=")) return Format::kJsonPath;
  if (name == "wide") return Format::kWide;
  if (name == "json") return Format::kJson;
  if (name == "ndjson") return Format::kNdjson;
  if (name == "yaml") return Format::kYaml;
  if (name == "name") return Format::kName;
  return Format::kTable;
}

bool WantsJsonErrors(const FlagValues& flags) {
  switch (FormatOf(flags)) {
    case Format::kTable:
    case Format::kWide:
    case Format::kName:
      return false;
    default:
      return true;
  }
}

// The lines in at most so many columns, broken at spaces; as they are when that is 0.
std::string Broken(const std::string& text, int width) {
  if (width <= 0) return text;
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  for (std::string& line : lines) {
    if (!line.empty()) line = Wrapped(line, static_cast<size_t>(width), /*indent=*/2);
  }
  return absl::StrJoin(lines, "\n");
}

Look LookOf(const Environment& environment, const FlagValues& flags) {
  Look look = environment.look;
  if (flags.Has("utc")) look.zone = absl::UTCTimeZone();
  look.color =
      look.color && environment.getenv("NO_COLOR").empty() && environment.getenv("TERM") != "dumb";
  return look;
}

const FieldDescriptor* RowsOf(const Message& response) {
  for (int i = 0; i < response.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = response.GetDescriptor()->field(i);
    if (field->is_repeated() && field->message_type() != nullptr) return field;
  }
  return nullptr;
}

const Column& IdColumn(const std::vector<Column>& columns) {
  for (const Column& column : columns) {
    if (column.id) return column;
  }
  return columns.front();
}

bool MoreFollows(const Message& response) {
  const FieldDescriptor* token = response.GetDescriptor()->FindFieldByName("next_page_token");
  return token != nullptr && !response.GetReflection()->GetString(response, token).empty();
}

}  // namespace

std::string NameOf(const Command& command) {
  return command.name.empty() ? command.group : absl::StrCat(command.group, " ", command.name);
}

Invocation::Invocation(const Environment& environment, const Command& command, FlagValues flags,
                       std::vector<std::string> words,
                       std::shared_ptr<client::Connection> connection,
                       std::unique_ptr<JsonPath> path)
    : environment_(environment),
      command_(command),
      flags_(std::move(flags)),
      words_(std::move(words)),
      connection_(std::move(connection)),
      path_(std::move(path)),
      format_(FormatOf(flags_)),
      look_(LookOf(environment_, flags_)) {}

Way Invocation::way() const {
  return {.address = flags_.Text("address"),
          .tls = flags_.Has("tls") || flags_.Has("ca-file") || flags_.Has("cert-file")};
}

int Invocation::Show(const Answer& answer) {
  if (!machine()) {
    out() << answer.text;
  } else if (format_ == Format::kName) {
    out() << absl::StrCat(command_.kind, "/", answer.id, "\n");
  } else {
    std::string json = Json(answer.message, format_ == Format::kNdjson, answer.reveal);
    if (!answer.request_id.empty()) {
      json = WithMember(json, "request_id", JsonString(answer.request_id));
    }
    Emit(json, false);
  }
  return kExitOk;
}

int Invocation::ShowList(const Message& response) {
  const FieldDescriptor* field = RowsOf(response);
  std::vector<const Message*> rows;
  for (int i = 0; i < response.GetReflection()->FieldSize(response, field); ++i) {
    rows.push_back(&response.GetReflection()->GetRepeatedMessage(response, field, i));
  }
  switch (format_) {
    case Format::kTable:
    case Format::kWide:
      out() << RenderTable(command_.columns, rows, wide(), look_);
      break;
    case Format::kName:
      for (const Message* row : rows) {
        out() << absl::StrCat(command_.kind, "/", IdColumn(command_.columns).cell(*row, {}), "\n");
      }
      break;
    case Format::kNdjson:
      for (const Message* row : rows) out() << Json(*row, true, false) << "\n";
      break;
    case Format::kJson:
    case Format::kYaml:
    case Format::kJsonPath: {
      std::string json = Json(response, false, false);
      if (rows.empty()) json = WithMember(json, field->name(), "[]");
      Emit(json, false);
      break;
    }
  }
  // A user who searches must not mistake a part for all of it.
  if (MoreFollows(response)) Note("more follows: raise --limit");
  return kExitOk;
}

void Invocation::ShowNext(const Message& message, const std::string& text, const std::string& id) {
  ShowJson(machine() && format_ != Format::kName ? Json(message, true, false) : "", text, id);
}

void Invocation::ShowJson(const std::string& json, const std::string& text, const std::string& id) {
  if (!machine()) {
    out() << text;
  } else if (format_ == Format::kName) {
    out() << absl::StrCat(command_.kind, "/", id, "\n");
  } else {
    Emit(json, true);
  }
  out() << std::flush;
}

void Invocation::Emit(const std::string& json, bool next) {
  switch (format_) {
    case Format::kYaml:
      out() << (next && shown_before_ ? "---\n" : "") << YamlOf(json);
      break;
    case Format::kJsonPath:
      out() << path_->Apply(json);
      break;
    default:
      out() << json << (absl::EndsWith(json, "\n") ? "" : "\n");
  }
  shown_before_ = true;
}

int Invocation::Fail(const grpc::Status& status, const Attempt& attempt) {
  const client::Error error = WithVerdict(client::DecodeError(status), attempt);
  err() << (WantsJsonErrors(flags_)
                ? ErrorAsJson(error, attempt, way())
                : Broken(DescribeError(error, attempt, way(), environment_.err_color),
                         environment_.err_width));
  return ExitCodeOf(error);
}

std::string DescribeMisuse(absl::string_view message, const std::string& see,
                           const FlagValues& flags, bool color) {
  if (WantsJsonErrors(flags)) {
    return absl::StrCat(JsonObject()
                            .Add("error", JsonObject()
                                              .Add("code", "USAGE")
                                              .Add("message", Printable(message))
                                              .Add("exit_code", int64_t{kExitUsage}))
                            .text(),
                        "\n");
  }
  return absl::StrCat(Painted("ippctl:", Paint::kBad, color), " ", message, "\n",
                      see.empty() ? "" : absl::StrCat("See ", see, "\n"));
}

int Invocation::Misused(absl::string_view message) {
  err() << DescribeMisuse(message, "", flags_, environment_.err_color);
  return kExitUsage;
}

void Invocation::Note(absl::string_view message) {
  err() << absl::StrCat("ippctl: ", message, "\n") << std::flush;
}

std::string Invocation::Json(const Message& message, bool one_line, bool reveal) const {
  const std::unique_ptr<Message> copy(message.New());
  copy->CopyFrom(message);
  if (!reveal) MaskSensitive(copy.get());
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.add_whitespace = !one_line;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(*copy, &json, options);
  if (status.ok()) return json;
  // Only a timestamp out of range gets here.
  environment_.err << "ippctl: the answer has no JSON form: " << status.ToString() << "\n";
  return "{}";
}

}  // namespace ipp::ippctl
