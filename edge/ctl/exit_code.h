// What holdfastctl ends with; scripts rely on these numbers. Which failure gets which is decided in session.cpp and
// nowhere else.
#pragma once

namespace holdfast::ctl {

enum ExitCode : int {
    kDone = 0,
    kRefused = 1,
    kWrongUsage = 2,
    kNotReachable = 3,
    kNoPermission = 4,
    kTimedOut = 5,
    kConfigInvalid = 78,
};

}  // namespace holdfast::ctl
