// FaultVfs: stands between SQLite and the operating system, counts the operations that change files
// and makes the Nth of them fail, once or from there on for ever. For the whole process: SQLite
// uses it for every database that is opened after the first call of instance().
#pragma once

#include <cstdint>

namespace testkit {

class FaultVfs {
 public:
  enum class Fault : uint8_t {
    kNoRoom,   ///< the disk is full
    kIoError,  ///< the disk does not do it
    kDie,      ///< kill -9 in the middle of the operation: of a write, half is done
  };
  enum class Lasting : uint8_t { kOnce, kForEver };

  static FaultVfs& instance();

  /// The operation after `passing` more of them gets the fault.
  void arm(int64_t passing, Fault fault, Lasting lasting = Lasting::kOnce);
  void disarm();
  /// Whether a fault has struck since arm().
  [[nodiscard]] bool struck() const { return struck_; }

  /// For the file methods: true when this operation is to fail. With kDie it is done by half by the
  /// caller, who then calls die().
  bool strikes();
  [[nodiscard]] Fault fault() const { return fault_; }
  [[noreturn]] static void die();

 private:
  FaultVfs();

  bool armed_ = false;
  bool struck_ = false;
  int64_t passing_ = 0;
  Fault fault_ = Fault::kNoRoom;
  Lasting lasting_ = Lasting::kOnce;
};

}  // namespace testkit
