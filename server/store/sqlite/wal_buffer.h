#pragma once

namespace ipp::store {

// The name of the VFS through which every database here is opened (sqlite3_open_v2). It is SQLite's
// own, except that the frames of a write-ahead log go to the file many at a time: SQLite writes
// each page of a commit, and the 24 bytes before it, by a system call of its own.
//
// What SQLite relies on stays. A commit's frames are in the file before SQLite goes on from the
// last of them, so before the disk is synced and before another connection can learn of them. Each
// read, sync and question about the file comes after what was written before. An error of the file
// appears at one of these calls, all before the commit counts.
//
// Thread-safe; a file belongs to its connection.
const char* BufferedWalVfs();

}  // namespace ipp::store
