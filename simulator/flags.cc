#include "simulator/flags.h"

#include <charconv>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <string_view>

#include "simulator/dialects.h"
#include "simulator/uri.h"

namespace ipp::simulator {
namespace {

constexpr uint64_t kMaxSeed = std::numeric_limits<int64_t>::max();  // what JSON can say

template <typename Number>
bool ParseNumber(std::string_view text, Number min, Number max, Number* number) {
  const char* end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, *number);
  return code == std::errc() && stop == end && *number >= min && *number <= max;
}

bool ParseListen(std::string_view text, std::string* address, uint16_t* port) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  *address = std::string(text.substr(0, colon));
  return ParseNumber<uint16_t>(text.substr(colon + 1), 0, 65535, port);
}

bool ParseFile(std::string_view text, std::string* path) {
  *path = std::string(text);
  return !text.empty();
}

bool ParseSeconds(std::string_view text, double min, std::chrono::milliseconds* duration) {
  double seconds = 0;
  if (!ParseNumber<double>(text, min, 1e8, &seconds)) return false;
  *duration = std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000));
  return true;
}

struct Flag {
  std::string_view name;
  std::string_view value;  // what it takes, for the help and for errors
  std::string_view help;
  std::function<bool(std::string_view value, Flags* flags)> parse;
};

const std::vector<Flag>& ValueFlags() {
  static const std::vector<Flag> flags = {
      {"--listen", "ADDRESS:PORT", "where to listen; port 0 takes a free one (127.0.0.1:9080)",
       [](auto value, Flags* f) {
         return ParseListen(value, &f->options.address, &f->options.port);
       }},
      {"--port-file", "FILE", "write the port there once listening",
       [](auto value, Flags* f) { return ParseFile(value, &f->port_file); }},
      {"--control-listen", "ADDRESS:PORT", "a listener for /_sim/ that no fault reaches (none)",
       [](auto value, Flags* f) {
         return ParseListen(value, &f->options.control_address, &f->options.control_port.emplace());
       }},
      {"--control-port-file", "FILE", "write its port there once listening",
       [](auto value, Flags* f) { return ParseFile(value, &f->control_port_file); }},
      {"--tls-listen", "ADDRESS:PORT", "the API over TLS as well: HTTP/2, HTTP/1.1 (none)",
       [](auto value, Flags* f) {
         return ParseListen(value, &f->options.tls_address, &f->options.tls_port.emplace());
       }},
      {"--tls-certificate", "FILE", "its certificate or chain, in PEM",
       [](auto value, Flags* f) { return ParseFile(value, &f->options.tls_certificate_file); }},
      {"--tls-key", "FILE", "the certificate's key, in PEM, without a passphrase",
       [](auto value, Flags* f) { return ParseFile(value, &f->options.tls_key_file); }},
      {"--tls-port-file", "FILE", "write its port there once listening",
       [](auto value, Flags* f) { return ParseFile(value, &f->tls_port_file); }},
      {"--merchant", "MID:KEY", "a merchant and its API key; repeatable (one test merchant)",
       [](auto value, Flags* f) {
         const size_t colon = value.find(':');
         if (colon == 0 || colon == std::string_view::npos || colon + 1 == value.size()) {
           return false;
         }
         f->options.merchants.push_back(
             {std::string(value.substr(0, colon)), std::string(value.substr(colon + 1))});
         return true;
       }},
      {"--locations", "NUMBER", "how many shops each merchant starts with (1)",
       [](auto value, Flags* f) {
         return ParseNumber<size_t>(value, 1, 1000, &f->options.locations);
       }},
      {"--session-ttl", "SECONDS", "open sessions expire after it; 0: never (3600)",
       [](auto value, Flags* f) {
         int64_t seconds = 0;
         if (!ParseNumber<int64_t>(value, 0, 100'000'000, &seconds)) return false;
         f->options.session_ttl = std::chrono::seconds(seconds);
         return true;
       }},
      {"--keep-requests", "NUMBER", "how many /_sim/requests remembers (50000)",
       [](auto value, Flags* f) {
         return ParseNumber<size_t>(value, 1, 10'000'000, &f->options.kept_requests);
       }},
      {"--webhook-url", "URL", "an http URL that gets every event; repeatable",
       [](auto value, Flags* f) {
         f->options.webhook_urls.emplace_back(value);
         return Url::Parse(value).has_value();
       }},
      {"--webhook-secret-file", "FILE", "whsec_ secrets, one a line; all of them sign",
       [](auto value, Flags* f) { return ParseFile(value, &f->webhook_secret_file); }},
      {"--webhook-backoff", "SECONDS", "wait after the first failed attempt (1)",
       [](auto value, Flags* f) {
         return ParseSeconds(value, 0.001, &f->options.webhook_initial_backoff);
       }},
      {"--webhook-backoff-factor", "FACTOR", "how each wait grows (2)",
       [](auto value, Flags* f) {
         return ParseNumber<double>(value, 1, 100, &f->options.webhook_backoff_factor);
       }},
      {"--webhook-max-backoff", "SECONDS", "the longest wait (60)",
       [](auto value, Flags* f) {
         return ParseSeconds(value, 0.001, &f->options.webhook_max_backoff);
       }},
      {"--webhook-give-up", "SECONDS", "how long to try in all (259200: three days)",
       [](auto value, Flags* f) {
         return ParseSeconds(value, 0, &f->options.webhook_give_up_after);
       }},
      {"--webhook-timeout", "SECONDS", "for one attempt (10)",
       [](auto value, Flags* f) {
         return ParseSeconds(value, 0.001, &f->options.webhook_timeout);
       }},
      {"--webhook-order", "session|none", "whether the events of a session wait for each other",
       [](auto value, Flags* f) {
         f->options.webhook_ordered_by_session = value == "session";
         return value == "session" || value == "none";
       }},
      {"--webhook-connections", "NUMBER", "attempts at the same time, to each receiver (16)",
       [](auto value, Flags* f) {
         return ParseNumber<size_t>(value, 1, 1000, &f->options.webhook_connections);
       }},
      {"--faults", "FILE", "what shall go wrong: the JSON of PUT /_sim/faults",
       [](auto value, Flags* f) { return ParseFile(value, &f->faults_file); }},
      {"--fault-seed", "NUMBER", "the seed of their probabilities (1)",
       [](auto value, Flags* f) {
         return ParseNumber<uint64_t>(value, 0, kMaxSeed, &f->options.fault_seed.emplace());
       }},
      {"--dialect", "NAME[,NAME...]",
       "how answers and webhooks are worded; list: print all (plain)",
       [](auto value, Flags* f) {
         f->list_dialects = value == "list";
         f->options.dialects = SplitNames(value);
         return !f->options.dialects.empty();
       }},
  };
  return flags;
}

bool ParseSwitch(std::string_view name, Flags* flags) {
  if (name == "--production") return flags->options.production = true;
  if (name == "--strict-tax") return flags->options.strict_tax = true;
  if (name == "--help") return flags->help = true;
  if (name == "--version") return flags->version = true;
  return false;
}

// The flags of TLS go together.
bool CheckTls(const Flags& flags, std::string* error) {
  const bool listens = flags.options.tls_port.has_value();
  const auto check = [&](std::string_view name, const std::string& file, bool needed) {
    if (listens && needed && file.empty()) {
      *error = "--tls-listen needs " + std::string(name) + "; see --help";
    } else if (!listens && !file.empty()) {
      *error = std::string(name) + " needs --tls-listen; see --help";
    } else {
      return true;
    }
    return false;
  };
  return check("--tls-certificate", flags.options.tls_certificate_file, true) &&
         check("--tls-key", flags.options.tls_key_file, true) &&
         check("--tls-port-file", flags.tls_port_file, false);
}

}  // namespace

bool ParseFlags(const std::vector<std::string>& arguments, Flags* flags, std::string* error) {
  const auto default_merchants = std::move(flags->options.merchants);
  flags->options.merchants.clear();
  flags->options.port = 9080;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    if (ParseSwitch(argument, flags)) {
      if (flags->help || flags->version) return true;
      continue;
    }
    const size_t equals = argument.find('=');
    const std::string_view name = argument.substr(0, equals);
    const Flag* flag = nullptr;
    for (const Flag& known : ValueFlags()) {
      if (known.name == name) flag = &known;
    }
    if (flag == nullptr) {
      *error = "unknown flag '" + std::string(name) + "'; see --help";
      return false;
    }
    const bool has_value = equals != std::string_view::npos || i + 1 < arguments.size();
    std::string_view value;
    if (equals != std::string_view::npos) {
      value = argument.substr(equals + 1);
    } else if (has_value) {
      value = arguments[++i];
    }
    if (!has_value || !flag->parse(value, flags)) {
      // The value is not repeated: for --merchant it would hold a key.
      *error = std::string(name) + " needs " + std::string(flag->value) + "; see --help";
      return false;
    }
  }
  if (flags->options.merchants.empty()) flags->options.merchants = default_merchants;
  return CheckTls(*flags, error);
}

std::string FlagsHelp() {
  std::string help =
      "Usage: ipp-simulator [flags]\n"
      "A double of Kustom's In-Person Payments API.\n\n";
  const auto add = [&](std::string left, std::string_view right) {
    left.resize(std::max<size_t>(left.size() + 1, 36), ' ');
    help.append("  ").append(left).append(right).append("\n");
  };
  for (const Flag& flag : ValueFlags()) {
    add(std::string(flag.name) + " " + std::string(flag.value), flag.help);
  }
  add("--strict-tax", "refuse a line whose tax is not the tax inside its total");
  add("--production", "answer 404 to the /dev operations, as the production host does");
  add("--help", "print this and exit");
  add("--version", "print the version and exit");
  return help;
}

bool ReadFaultsFile(const std::string& path, std::string* faults, std::string* error) {
  std::ifstream file(path);
  faults->assign(std::istreambuf_iterator<char>(file), {});
  if (!file.is_open() || file.bad() || faults->empty()) {
    *error = "no fault rules could be read from " + path;
    return false;
  }
  return true;
}

bool ReadSecretFile(const std::string& path, std::vector<std::string>* secrets,
                    std::string* error) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    line.erase(line.find_last_not_of(" \t\r") + 1);
    if (!line.empty() && line.front() != '#') secrets->push_back(line);
  }
  if (!file.is_open() || file.bad() || secrets->empty()) {
    *error = "no webhook secret could be read from " + path;
    return false;
  }
  return true;
}

}  // namespace ipp::simulator
