// A .tar.gz (POSIX ustar over zlib) written member by member: only what a support bundle needs. Members are plain files
// of mode 0600.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "edge/base/result.h"
#include "edge/base/time.h"

namespace holdfast::ctl {

class Archive {
  public:
    static constexpr std::size_t kNameMax = 99;
    // Fails when the file exists. It is there, 0600, when finish() has ended well: until then it is PATH.part, of which
    // a run that was interrupted leaves the beginning.
    static Result<std::unique_ptr<Archive>> create(const std::string& path);
    ~Archive();
    // Requires: a name of at most kNameMax bytes.
    void add(std::string_view name, std::string_view bytes, WallTime time);
    // The end of it; fails when the disk did not take all.
    Result<void> finish();

  private:
    struct State;
    explicit Archive(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace holdfast::ctl
