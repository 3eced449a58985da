#include <cstdio>
#include <string>

#include "tests/faults/creates/matrix_options.h"
#include "tests/faults/creates/matrix_run.h"

int main(int argc, char** argv) {
  const auto options = ipp::faults::ParseMatrixOptions({argv + 1, argv + argc});
  if (!options.ok()) {
    std::fprintf(stderr, "%s\n", std::string(options.status().message()).c_str());
    return 2;
  }
  return ipp::faults::MatrixRun(*options).Run() ? 0 : 1;
}
