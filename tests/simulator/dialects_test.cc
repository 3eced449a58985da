// The same things, said otherwise: every row of the table, and what all rows leave alone.

#include "simulator/dialects.h"

#include <boost/beast/zlib/inflate_stream.hpp>
#include <boost/crc.hpp>
#include <boost/json/parse.hpp>
#include <boost/system/error_code.hpp>
#include <fstream>

#include "simulator/flags.h"
#include "simulator/ids.h"
#include "simulator/webhook_signer.h"
#include "tests/simulator/harness.h"

namespace ipp::simulator {

void PrintTo(const Dialect& dialect, std::ostream* out) { *out << dialect.name; }

namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::StartsWith;

std::string Inflate(std::string_view bytes) {
  namespace zlib = boost::beast::zlib;
  zlib::inflate_stream stream;
  std::string text(1 << 20, '\0');
  zlib::z_params parameters;
  parameters.next_in = bytes.data();
  parameters.avail_in = bytes.size();
  parameters.next_out = text.data();
  parameters.avail_out = text.size();
  boost::system::error_code error;
  stream.write(parameters, zlib::Flush::finish, error);
  // Beast asks for more now and then where the last bit of the stream is the last of the bytes.
  EXPECT_THAT(error, AnyOf(zlib::error::end_of_stream, zlib::error::need_buffers));
  EXPECT_EQ(parameters.avail_in, 0u);
  text.resize(text.size() - parameters.avail_out);
  return text;
}

std::string Gunzip(const std::string& bytes) {
  EXPECT_EQ(bytes.substr(0, 3), "\x1f\x8b\x08");
  std::string text = Inflate(std::string_view(bytes).substr(10, bytes.size() - 18));
  boost::crc_32_type crc;
  crc.process_bytes(text.data(), text.size());
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(bytes[bytes.size() - 8 + i], static_cast<char>(crc.checksum() >> (8 * i)));
    EXPECT_EQ(bytes[bytes.size() - 4 + i], static_cast<char>(text.size() >> (8 * i)));
  }
  return text;
}

// As text: without coding and byte order mark.
std::string Plain(const Reply& reply) {
  std::string text = reply.body;
  const std::string coding = reply.Header("Content-Encoding");
  if (coding == "gzip") text = Gunzip(text);
  if (coding == "deflate") {
    const bool framed = text.substr(0, 2) == "\x78\x9c";
    text = Inflate(framed ? std::string_view(text).substr(2, text.size() - 6) : text);
  }
  if (text.rfind("\xEF\xBB\xBF", 0) == 0) text.erase(0, 3);
  return text;
}

boost::json::value Parsed(const std::string& text) {
  boost::system::error_code error;
  boost::json::value value = boost::json::parse(text, error);
  EXPECT_FALSE(error) << text;
  return value;
}

std::string UpperCase(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

class DialectTest : public SimulatorTest {
 protected:
  void Speak(const std::string& name) {
    const Reply reply = Send("PUT", "/_sim/dialects", R"({"names":[")" + name + R"("]})");
    ASSERT_EQ(reply.status, 200) << reply.body;
  }
  // Made in plain words.
  void MakeSession() {
    device_ = NewDevice(std::string(R"(,"location_id":")") + kLocation1 + R"(")");
    session_ = At(Post("/ipp/v1/sessions", OrderFor(device_)).Json(), "session_id");
  }
  boost::json::value Read(const std::string& target) { return Parsed(Plain(Get(target))); }

  std::string device_;
  std::string session_;
};

class EveryDialect : public DialectTest, public testing::WithParamInterface<Dialect> {};

std::string NameOf(const testing::TestParamInfo<Dialect>& info) {
  std::string name(info.param.name);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Table, EveryDialect, testing::ValuesIn(DialectTable()), NameOf);

TEST_P(EveryDialect, LeavesSessionStatusAmountAndCurrencyAlone) {
  MakeSession();
  Speak(std::string(GetParam().name));
  const auto check = [&](const boost::json::value& session, const std::string& status) {
    EXPECT_EQ(LowerCase(At(session, "session_id")), session_);
    EXPECT_EQ(LowerCase(At(session, "status")), status);
    EXPECT_EQ(At(session, "order_amount"), "25000");
    EXPECT_EQ(At(session, "purchase_currency"), "SEK");
  };
  check(Read("/ipp/v1/sessions/" + session_), "created");
  const Reply tap = Tap(session_, "SUCCESS");
  EXPECT_EQ(tap.status / 100, 2);
  check(Read("/ipp/v1/sessions/" + session_), "finalized");
  // What is under /_sim/ stays plain.
  const auto truth = Get("/_sim/sessions").Json();
  EXPECT_EQ(At(truth, "sessions.0.session_id"), session_);
  EXPECT_EQ(At(truth, "sessions.0.status"), "FINALIZED");

  const Reply made = Post("/ipp/v1/sessions", OrderFor(device_));
  EXPECT_THAT(made.status, AnyOf(200, 201));
  EXPECT_EQ(LowerCase(At(Parsed(Plain(made)), "session_id")),
            At(Get("/_sim/sessions").Json(), "sessions.1.session_id"));
}

TEST_P(EveryDialect, LeavesTheIdsOfAllThingsAlone) {
  MakeSession();
  Speak(std::string(GetParam().name));
  EXPECT_EQ(LowerCase(At(Read("/ipp/v1/devices"), "content.0.id")), device_);
  EXPECT_EQ(At(Read("/ipp/v1/devices"), "last"), "true");
  EXPECT_EQ(LowerCase(At(Read("/ipp/v1/locations"), "content.0.id")), kLocation1);
  const Reply enrollment =
      Post("/ipp/v1/enrollments",
           std::string(R"({"ttl":"TWO_HOURS","location_id":")") + kLocation1 + R"("})");
  EXPECT_THAT(enrollment.status, AnyOf(200, 201));
  const auto code = At(Parsed(Plain(enrollment)), "enrollment_code");
  EXPECT_EQ(Post("/_sim/enrollments/" + code + "/consume").status, 201);
  EXPECT_EQ(Send("DELETE", "/ipp/v1/devices/" + device_).status / 100, 2);
  EXPECT_EQ(Send("DELETE", "/ipp/v1/devices/" + device_).status, 404);
}

TEST_P(EveryDialect, KeepsReferencesIfItSaysSo) {
  MakeSession();
  const auto plain = Read("/ipp/v1/sessions/" + session_);
  Speak(std::string(GetParam().name));
  const auto worded = Read("/ipp/v1/sessions/" + session_);
  bool kept = LowerCase(At(worded, "device_id")) == device_;
  for (const char* member : {"merchant_reference1", "merchant_reference2", "merchant_data"}) {
    const boost::json::value* there = worded.get_object().if_contains(member);
    kept = kept && there != nullptr && *there == plain.at(member);
  }
  EXPECT_EQ(kept, GetParam().keeps_references);
}

TEST_P(EveryDialect, KeepsTheCodeOfAnError) {
  MakeSession();
  Speak(std::string(GetParam().name));
  EXPECT_EQ(Get("/ipp/v1/sessions/" + std::string(kNobody)).status, 404);
  EXPECT_EQ(Post("/ipp/v1/sessions", "{}").status, 400);
  Send("PUT", "/_sim/faults", R"({"faults":[{"on":"get_session","do":"too_many"}]})");
  EXPECT_EQ(Get("/ipp/v1/sessions/" + session_).status, 429);
}

TEST_P(EveryDialect, SignsWhatItTellsOfASession) {
  Receiver receiver;
  Simulator::Options options;
  options.webhook_urls = {receiver.url()};
  options.dialects = {std::string(GetParam().name)};
  Start(options);
  const Reply device = Post("/ipp/v1/dev/devices", R"({"name":"Till"})");
  const std::string id = LowerCase(At(Parsed(Plain(device)), "id"));
  Post("/ipp/v1/sessions", OrderFor(id));
  const std::string session = At(Get("/_sim/sessions").Json(), "sessions.0.session_id");
  const Delivery delivery = receiver.Wait(1).front();
  WebhookSigner signer;
  signer.AddSecret(Simulator::kDefaultSecret);
  EXPECT_EQ(delivery.signature,
            signer.Sign(delivery.id, std::stoll(delivery.timestamp), delivery.body));
  Reply body;
  body.body = delivery.body;
  const auto event = Parsed(Plain(body));
  EXPECT_EQ(At(event, "id"), At(Get("/_sim/webhooks").Json(), "events.0.event_id"));
  EXPECT_THAT(LowerCase(At(event, "type")), AnyOf("ipp.session.created", "session.created"));
  EXPECT_THAT((std::vector<std::string>{LowerCase(At(event, "data.session_id")),
                                        LowerCase(At(event, "data.id")),
                                        LowerCase(At(event, "session_id"))}),
              testing::Contains(session));
}

// What a row is there for, at one place.
struct WordingRow {
  std::string name;  // the dialect's, and for gtest
  std::string dialect;
  std::string target;  // "session", "device", "unknown", "bad", "busy", or a path
  std::string path;
  std::string value;
};

class Wording : public DialectTest, public testing::WithParamInterface<WordingRow> {
 protected:
  Reply Answer(const std::string& target) {
    if (target == "session") return Get("/ipp/v1/sessions/" + session_);
    if (target == "device") return Get("/ipp/v1/devices");
    if (target == "unknown") return Get("/ipp/v1/sessions/" + std::string(kNobody));
    if (target == "bad") return Post("/ipp/v1/sessions", "{}");
    return Get(target);
  }
};

INSTANTIATE_TEST_SUITE_P(
    Table, Wording,
    testing::Values(
        WordingRow{"Absent", "absent", "session", "merchant_reference1", "(absent)"},
        WordingRow{"AbsentInALine", "absent", "session", "order_items", "(absent)"},
        WordingRow{"AbsentName", "absent", "device", "content.0.name", "(absent)"},
        WordingRow{"Null", "null", "session", "order_items", "null"},
        WordingRow{"NullName", "null", "device", "content.0.metadata", "null"},
        WordingRow{"Unknown", "unknown-members", "session", "receipt.lines.0.1", "1.5E0"},
        WordingRow{"UnknownInALine", "unknown-members", "session", "order_items.0.Status",
                   "NEITHER_THIS"},
        WordingRow{"UnknownInAPage", "unknown-members", "device", "SESSION_ID", "nor this"},
        WordingRow{"NoZone", "dates-no-zone", "session", "purchase_started_at",
                   "2026-09-21T14:13:20"},
        WordingRow{"Empty", "dates-empty", "session", "purchase_started_at", ""},
        WordingRow{"Offset", "dates-offset", "session", "purchase_started_at",
                   "2026-09-21T14:13:20+0000"},
        WordingRow{"Blank", "dates-blank", "session", "purchase_started_at",
                   "2026-09-21 14:13:20Z"},
        WordingRow{"LowerCaseDate", "dates-lower-case", "session", "purchase_started_at",
                   "2026-09-21t14:13:20z"},
        WordingRow{"NineDigits", "dates-nine-digits", "session", "purchase_started_at",
                   "2026-09-21T14:13:20.123456789Z"},
        WordingRow{"Epoch", "dates-epoch", "session", "purchase_started_at", "1790000000"},
        WordingRow{"EpochMs", "dates-epoch-ms", "session", "purchase_started_at", "1790000000000"},
        WordingRow{"StringNumbers", "numbers-as-strings", "session", "order_items.0.quantity", "2"},
        WordingRow{"StringRegister", "numbers-as-strings", "device",
                   "content.0.open_cash_register_id", "17"},
        WordingRow{"Fractional", "numbers-fractional", "session", "order_items.0.quantity",
                   "2.5E0"},
        WordingRow{"Huge", "numbers-huge", "session", "order_items.0.tax_rate", "1E30"},
        WordingRow{"MerchantData", "merchant-data-object", "session", "merchant_data.order_id",
                   "1001"},
        WordingRow{"Metadata", "metadata-mixed", "device", "content.0.metadata.simulated", "true"},
        WordingRow{"LowerWords", "words-lower-case", "session", "status", "created"},
        WordingRow{"LowerPlatform", "words-lower-case", "device", "content.0.platform", "terminal"},
        WordingRow{"UpperType", "words-upper-case", "session", "order_items.0.type", "PHYSICAL"},
        WordingRow{"Capitalised", "words-capitalised", "session", "status", "Created"},
        WordingRow{"Map", "errors-map-of-lists", "bad", "errors.device_id.1", "and must be well"},
        WordingRow{"List", "errors-list", "bad", "errors.0.field", "device_id"},
        WordingRow{"ListOfOne", "errors-list", "unknown", "errors.0.message", "Session not found."},
        WordingRow{"Strings", "errors-strings", "unknown", "errors.0", "Session not found."},
        WordingRow{"Other", "errors-other-apis", "unknown", "error_messages.0",
                   "Session not found."},
        WordingRow{"Nested", "errors-nested", "unknown", "0.error.status", "404"}),
    RowName<WordingRow>);

TEST_P(Wording, IsAsTheRowSays) {
  MakeSession();
  Speak(GetParam().dialect);
  EXPECT_EQ(At(Parsed(Plain(Answer(GetParam().target))), GetParam().path), GetParam().value);
}

TEST_F(DialectTest, SpellsIdsInOtherLetterCase) {
  MakeSession();
  Speak("ids-upper-case");
  const auto session = Read("/ipp/v1/sessions/" + session_);
  EXPECT_EQ(At(session, "session_id"), UpperCase(session_));
  EXPECT_EQ(At(session, "device_id"), UpperCase(device_));
  EXPECT_EQ(At(Read("/ipp/v1/devices"), "content.0.location_id"),
            "10C00000-0000-4000-8000-000000000001");
}

TEST_F(DialectTest, SendsErrorsThatAreNoJson) {
  Speak("errors-html");
  Reply reply = Get("/ipp/v1/sessions/" + std::string(kNobody));
  EXPECT_THAT(reply.Header("Content-Type"), StartsWith("text/html"));
  EXPECT_THAT(reply.body, HasSubstr("Request Rejected"));
  Speak("errors-empty");
  reply = Get("/ipp/v1/sessions/" + std::string(kNobody));
  EXPECT_EQ(reply.body, "");
  EXPECT_EQ(reply.Header("Content-Length"), "0");
}

TEST_F(DialectTest, SaysWhenToComeAgainInOtherForms) {
  MakeSession();
  const auto retry_after = [&](const std::string& dialect) {
    Speak(dialect);
    Send("PUT", "/_sim/faults",
         R"({"faults":[{"on":"get_session","do":"too_many","retry_after":7}]})");
    return Get("/ipp/v1/sessions/" + session_).Header("Retry-After");
  };
  EXPECT_THAT(retry_after("retry-after-date"), testing::EndsWith(" GMT"));
  EXPECT_EQ(retry_after("retry-after-large"), "31536000");
  EXPECT_EQ(retry_after("retry-after-odd"), "soon");
  EXPECT_EQ(retry_after("gzip"), "7");
}

TEST_F(DialectTest, AnswersWithOtherCodes) {
  MakeSession();
  Speak("codes-ok");
  EXPECT_EQ(Post("/ipp/v1/dev/devices", R"({"name":"Till"})").status, 200);
  const std::string spare = At(Post("/ipp/v1/dev/devices", R"({"name":"T"})").Json(), "id");
  EXPECT_EQ(Send("DELETE", "/ipp/v1/devices/" + spare).status, 200);
  Speak("codes-created");
  EXPECT_EQ(Post("/ipp/v1/sessions", OrderFor(device_)).status, 201);
  EXPECT_EQ(Tap(session_, "LOST_CARD").status, 201);
  Speak("codes-no-content");
  const Reply tap = Tap(session_, "LOST_CARD");
  EXPECT_EQ(tap.status, 204);
  EXPECT_EQ(tap.body, "");
  Speak("codes-accepted");
  EXPECT_EQ(Send("DELETE", "/ipp/v1/devices/" + device_).status, 202);
}

TEST_F(DialectTest, NamesTheFieldsOfAWebhookInOtherCase) {
  Receiver receiver;
  Simulator::Options options;
  options.webhook_urls = {receiver.url()};
  options.dialects = {"webhook-header-case", "content-types"};
  Start(options);
  MakeSession();
  const Headers headers = receiver.Wait(1).front().headers;
  EXPECT_THAT(headers, testing::Contains(testing::Key("WEBHOOK-ID")));
  EXPECT_THAT(headers,
              testing::Contains(testing::Pair(testing::_, "application/json;charset=UTF-8")));
}

TEST_F(DialectTest, CanBeCombined) {
  MakeSession();
  ASSERT_EQ(
      Send("PUT", "/_sim/dialects",
           R"({"names":["gzip","byte-order-mark","escaped","dates-epoch","unknown-members"]})")
          .status,
      200);
  const Reply reply = Get("/ipp/v1/sessions/" + session_);
  const std::string text = Plain(reply);
  EXPECT_EQ(text.find("session_id"), std::string::npos);
  EXPECT_EQ(At(Parsed(text), "purchase_started_at"), "1790000000");
  EXPECT_EQ(At(Parsed(text), "SESSION_ID"), "nor this");
}

TEST_F(DialectTest, AreListedAndTakenBack) {
  Speak("gzip");
  const auto list = Get("/_sim/dialects").Json();
  ASSERT_EQ(SizeAt(list, "dialects"), DialectTable().size());
  for (size_t i = 0; i < DialectTable().size(); ++i) {
    const std::string at = "dialects." + std::to_string(i);
    EXPECT_EQ(At(list, at + ".name"), DialectTable()[i].name);
    EXPECT_EQ(At(list, at + ".active"), DialectTable()[i].name == "gzip" ? "true" : "false");
  }
  EXPECT_EQ(Get("/ipp/v1/devices").Header("Content-Encoding"), "gzip");
  Send("PUT", "/_sim/dialects", R"({"names":[]})");
  EXPECT_EQ(Get("/ipp/v1/devices").Header("Content-Encoding"), "");
}

TEST_F(DialectTest, OfAnUnknownNameChangeNothing) {
  Speak("gzip");
  const Reply reply = Send("PUT", "/_sim/dialects", R"({"names":["indented","latin"]})");
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(At(reply.Json(), "errors.names"), "there is no dialect 'latin'");
  EXPECT_EQ(Send("PUT", "/_sim/dialects", R"({"dialects":["gzip"]})").status, 400);
  EXPECT_EQ(Get("/ipp/v1/devices").Header("Content-Encoding"), "gzip");
  Simulator::Options options;
  options.dialects = {"latin"};
  std::string error;
  EXPECT_EQ(Simulator::Start(options, &error), nullptr);
  EXPECT_EQ(error, "there is no dialect 'latin'");
}

TEST(DialectFlag, TakesNamesOrList) {
  Flags flags;
  std::string error;
  ASSERT_TRUE(ParseFlags({"--dialect", "gzip,dates-epoch"}, &flags, &error)) << error;
  EXPECT_THAT(flags.options.dialects, testing::ElementsAre("gzip", "dates-epoch"));
  EXPECT_FALSE(flags.list_dialects);
  ASSERT_TRUE(ParseFlags({"--dialect=list"}, &flags, &error)) << error;
  EXPECT_TRUE(flags.list_dialects);
  EXPECT_FALSE(ParseFlags({"--dialect", ","}, &flags, &error));
  for (const Dialect& dialect : DialectTable()) {
    EXPECT_THAT(DialectsHelp(), HasSubstr(std::string(dialect.name) + " "));
    EXPECT_LT(dialect.name.size(), 24u);
  }
}

TEST(DialectPage, HasARowForEachAndNoOther) {
  std::ifstream file(IPP_TESTDATA "/../../simulator/README.md");
  std::string rows;
  bool in_table = false;
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("| Dialect |", 0) == 0) in_table = true;
    if (line.empty()) in_table = false;
    if (in_table && line.rfind("| `", 0) == 0) rows += line + "\n";
  }
  std::string wanted;
  for (const Dialect& dialect : DialectTable()) {
    wanted.append("| `").append(dialect.name).append("` | ").append(dialect.what);
    wanted.append(dialect.keeps_references ? " |\n" : "; loses references |\n");
  }
  EXPECT_EQ(rows, wanted);
}

// RFC 9562: UUIDs are compared in any letter case.
TEST_F(DialectTest, AreNotNeededForIdsInAnyLetterCase) {
  MakeSession();
  EXPECT_EQ(Get("/ipp/v1/sessions/" + UpperCase(session_)).status, 200);
  EXPECT_EQ(Tap(UpperCase(session_), "LOST_CARD").status, 200);
  EXPECT_EQ(Get("/ipp/v1/locations/" + UpperCase(kLocation1)).status, 200);
  EXPECT_EQ(SizeAt(Get("/ipp/v1/devices?location_id=" + UpperCase(kLocation1)).Json(), "content"),
            1u);
  EXPECT_EQ(
      Post("/ipp/v1/sessions?location_id=" + UpperCase(kLocation1), OrderFor(UpperCase(device_)))
          .status,
      200);
  EXPECT_EQ(Send("PUT", "/ipp/v1/devices/" + UpperCase(device_),
                 R"({"name":"Till","location_id":")" + UpperCase(kLocation2) + R"("})")
                .status,
            200);
  EXPECT_EQ(At(Get("/ipp/v1/devices").Json(), "content.0.location_id"), kLocation2);
  EXPECT_EQ(SizeAt(Get("/_sim/webhooks?session_id=" + UpperCase(session_)).Json(), "events"), 3u);
  EXPECT_EQ(Get("/_sim/devices/" + UpperCase(device_) + "/sessions").status, 200);
  EXPECT_EQ(Post("/_sim/sessions/" + UpperCase(session_) + "/clerk-cancel").status, 200);
  EXPECT_EQ(Send("PUT", "/ipp/v1/sessions/" + UpperCase(session_) + "/cancel").status, 200);
  EXPECT_EQ(Send("DELETE", "/ipp/v1/devices/" + UpperCase(device_)).status, 204);
}

}  // namespace
}  // namespace ipp::simulator
