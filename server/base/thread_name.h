#pragma once

#include <pthread.h>

namespace ipp {

// Names the calling thread, for `top -H` and debuggers. Linux accepts at most 15 characters.
inline void NameThisThread(const char* name) { pthread_setname_np(pthread_self(), name); }

}  // namespace ipp
