#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/faults/creates/matrix_options.h"
#include "tests/faults/creates/record.h"

namespace ipp::faults {

// A line of the table: what became of the rounds of one fault.
struct MatrixLine {
  int rounds = 0;
  int struck = 0;  // rounds in which the fault came to strike
  // The answer to the first caller.
  int ok = 0;
  int not_sent = 0;
  int rejected = 0;
  int unknown = 0;
  int gone = 0;
  int settled = 0;   // EXECUTED in the end, and not by an answer that came as it should
  int replayed = 0;  // retries that got what there was
  int created = 0;   // retries that made the session
  int doubled = 0;   // rounds in which what is not proven unprocessed was read more than once
  int wrong = 0;     // rounds that break a promise
  int reused = 0;    // of the requests that were read
  int fresh = 0;
  int http1 = 0;
  int http2 = 0;
  int missed = 0;       // wanted reused, was fresh; or the other way round
  int late = 0;         // waited, and the deadline passed all the same
  int broke_again = 0;  // retries of what was not done that were lost as well
  int waited = 0;       // callers that waited
  int under_way = 0;    // gateways killed after the upstream had read, before any answer
  int joined = 0;       // calls to the other replica

  void Add(const RoundRecord& record, bool good);
  void Add(const MatrixLine& other);
};

std::string MatrixHead();
std::string MatrixRow(const std::string& name, const MatrixLine& line);

// What keeps a run from proving anything, although no promise was broken: faults that never
// struck, connections that were not what they should be, callers that waited in vain.
std::vector<std::string> TooEasy(const MatrixOptions& options,
                                 const std::map<std::string, MatrixLine>& lines);

}  // namespace ipp::faults
