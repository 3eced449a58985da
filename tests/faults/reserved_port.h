#pragma once

namespace ipp::faults {

// A port of 127.0.0.1 that stays ours while no process listens on it, so that a server can be
// killed and come back on it. The kernel gives a port that is bound to no other process (neither to
// a listener that asks for any port nor to an outgoing connection), and lets a server that says
// SO_REUSEADDR listen on it all the same.
class ReservedPort {
 public:
  ReservedPort();  // 0 when the machine has none
  ~ReservedPort();
  ReservedPort(const ReservedPort&) = delete;
  ReservedPort& operator=(const ReservedPort&) = delete;

  int number() const { return number_; }

 private:
  int fd_;
  int number_ = 0;
};

}  // namespace ipp::faults
