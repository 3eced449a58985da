#pragma once

#include "absl/strings/string_view.h"

namespace ipp::json::test {

// What must hold for any bytes, read as JSON; see Require. The first byte chooses the message: `s`
// a Session, `d` a Device, `v` a Session of which one member, chosen by the byte behind it, has
// that value, `p` a page of devices, each in what follows it; else Kinds, in all of it.
//  * It is refused without the word `hunter2` in the reason, wherever that was in the text.
//  * Or what was read can be written; read again it is the same message, and written again the same
//    text.
//  * No value of a member stops the rest from being read leniently, or changes it.
//  * What is read strictly is read leniently too.
//  * Where Protobuf's own reader takes Kinds too, and the dialects do not differ, it reads the
//  same.
void CheckJsonRead(absl::string_view bytes);

}  // namespace ipp::json::test
