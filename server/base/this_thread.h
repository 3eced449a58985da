#pragma once

#include <pthread.h>
#include <sched.h>

namespace ipp {

// Names the calling thread, for `top -H` and debuggers. Linux accepts at most 15 characters.
inline void NameThisThread(const char* name) { pthread_setname_np(pthread_self(), name); }

// main starts threads under a policy by which a woken thread lets the running one finish its turn
// (docs/adr/0023). This undoes it for the calling thread: woken, it takes the CPU at once. For the
// threads that an event passes on its way to a subscriber, each of which would wait a turn.
inline void WakeThisThreadAtOnce() {
  const sched_param none{};
  sched_setscheduler(0, SCHED_OTHER, &none);
}

}  // namespace ipp
