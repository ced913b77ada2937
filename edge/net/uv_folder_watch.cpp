#include "edge/net/uv_folder_watch.h"

#include <uv.h>

namespace holdfast {
namespace {

struct WatchBox {
    UvLoop& loop;
    uv_fs_event_t handle{};
    std::function<void(const std::string&)> changed;

    static void on_event(uv_fs_event_t* handle, const char* name, int, int) {
        WatchBox& box = *static_cast<WatchBox*>(handle->data);
        box.loop.enter();
        // A copy: the watch may be destroyed inside the call.
        const auto changed = box.changed;
        if (changed) changed(name == nullptr ? std::string() : std::string(name));
    }
    static void close(WatchBox* box) {
        box->changed = nullptr;
        uv_close(reinterpret_cast<uv_handle_t*>(&box->handle),
                 [](uv_handle_t* handle) { delete static_cast<WatchBox*>(handle->data); });
    }
};

class FolderWatch : public Pending {
  public:
    explicit FolderWatch(WatchBox* box) : box_(box) {}
    ~FolderWatch() override { WatchBox::close(box_); }

  private:
    WatchBox* box_;
};

}  // namespace

std::unique_ptr<Pending> watch_folder(UvLoop& loop, const std::string& folder,
                                      std::function<void(const std::string& name)> changed) {
    auto* box = new WatchBox{loop, {}, std::move(changed)};
    if (uv_fs_event_init(loop.raw(), &box->handle) != 0) {
        delete box;
        return nullptr;
    }
    box->handle.data = box;
    uv_unref(reinterpret_cast<uv_handle_t*>(&box->handle));
    if (uv_fs_event_start(&box->handle, &WatchBox::on_event, folder.c_str(), 0) != 0) {
        WatchBox::close(box);
        return nullptr;
    }
    return std::make_unique<FolderWatch>(box);
}

}  // namespace holdfast
