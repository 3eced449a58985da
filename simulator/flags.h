#pragma once

#include <string>
#include <vector>

#include "simulator/simulator.h"

namespace ipp::simulator {

struct Flags {
  Simulator::Options options;  // without what comes from the files
  std::string webhook_secret_file;
  std::string faults_file;
  std::string port_file;
  std::string control_port_file;
  std::string tls_port_file;
  bool list_dialects = false;
  bool help = false;
  bool version = false;
};

// Reads the command line, without the program's name: `--name value` or `--name=value`. False on a
// wrong one; *error then says what is wrong in one line. --help and --version end the reading.
bool ParseFlags(const std::vector<std::string>& arguments, Flags* flags, std::string* error);

std::string FlagsHelp();

// Returns false if the file cannot be read or is empty; its content is not checked.
bool ReadFaultsFile(const std::string& path, std::string* faults, std::string* error);

// One secret a line; empty lines and lines that begin with # are skipped.
bool ReadSecretFile(const std::string& path, std::vector<std::string>* secrets, std::string* error);

}  // namespace ipp::simulator
