#pragma once

// SQLite's own file layer with a switch: what a full or dying disk does to real reads and writes of
// the real library. Becomes the default of the process with Install(). Thread-safe.
namespace ipp::store::contract {

class FailingVfs {
 public:
  static void Install();
  // Every write answers with this SQLite code (SQLITE_FULL, SQLITE_IOERR_WRITE) until Heal().
  static void FailWrites(int code);
  static void FailSyncs(int code);
  static void Heal();
  // Writes and syncs that were made to fail so far.
  static int failures();
  // Successful writes so far.
  static int writes();
  // Successful syncs so far: what each commit pays for.
  static int syncs();
};

}  // namespace ipp::store::contract
