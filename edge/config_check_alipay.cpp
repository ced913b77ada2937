// What [upstream.alipay] means: presets and the site's own mapping made one. Its files: config_check_alipay_files.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "edge/config_check.h"
#include "upstream/alipay_settings.h"

namespace holdfast {

bool made_of(std::string_view text, std::string_view more) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [more](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               more.find(c) != std::string_view::npos;
    });
}

namespace {

const std::string kTable = "upstream.alipay";

bool is_field(std::string_view name) {
    const auto dot = name.find('.');
    const bool nested = dot != std::string_view::npos;
    return made_of(name.substr(0, dot), "_") && (!nested || made_of(name.substr(dot + 1), "_"));
}

struct AlipayChecker {
    ConfigCheck& c;
    AlipayConfig& config = c.draft.config.upstream.alipay;

    void error(const std::string& leaf, const std::string& what, const std::string& expected) {
        const std::string key = kTable + "." + leaf;
        c.problems.error(c.at(key), key + " " + what, expected);
    }
    void required(const std::string& leaf, const std::string& value, const std::string& expected) {
        if (value.empty() && !c.is_unread(kTable + "." + leaf)) error(leaf, "is missing", expected);
    }

    void names() {
        required("app_id", config.app_id, "our number at Alipay");
        if (!config.app_id.empty() && !made_of(config.app_id, "_-"))
            error("app_id", "is no app id", "letters and digits");
        if (!made_of(config.method, "._")) error("method", "is no method", "such as \"alipay.user.faceverify.verify\"");
        required("private_key_file", config.private_key_file, "the file of our private key");
        const bool url = config.notify_url.empty() || config.notify_url.starts_with("https://") ||
                         config.notify_url.starts_with("http://");
        const bool plain = std::all_of(config.notify_url.begin(), config.notify_url.end(),
                                       [](char ch) { return ch > ' ' && ch < 0x7f && ch != '"'; });
        if (!url || !plain) error("notify_url", "is no URL", "https://…/v1/notifications/alipay, or empty");
    }

    void keys() {
        const int certificates =
            !config.app_cert_file.empty() + !config.alipay_cert_file.empty() + !config.alipay_root_cert_file.empty();
        const bool plain = !config.alipay_public_key_file.empty();
        if (certificates == 0 && !plain)
            required("alipay_public_key_file", "", "Alipay's public key, or the three certificates");
        else if (plain && certificates != 0)
            error("alipay_public_key_file", "and certificates exclude each other", "one of the two");
        else if (!plain && certificates != 3)
            error("app_cert_file", "stands without the others",
                  "app_cert_file, alipay_cert_file and alipay_root_cert_file together");
    }

    void request(AlipayRequestMap& map) {
        if (!config.request.empty()) map.fields.clear();
        for (const auto& [name, source] : config.request) {
            if (!is_field(name)) error("request", fmt::format("has a field {}", name), "letters, digits, _; one dot");
            if (!is_alipay_source(source))
                error("request", fmt::format("takes {} from {}", name, source),
                      "orderNo, scene, subject, device, evidence.image, attributes.NAME, or =constant");
            if (config.request.contains(name.substr(0, name.find('.'))) && name.find('.') != std::string::npos)
                error("request", fmt::format("has {} and {}", name.substr(0, name.find('.')), name), "one of the two");
            map.fields.push_back({name, source});
        }
        if (!config.request_file.empty()) {
            const auto equals = std::min(config.request_file.find('='), config.request_file.size());
            map.file_field = config.request_file.substr(0, equals);
            map.file_source = config.request_file.substr(std::min(equals + 1, config.request_file.size()));
            if (!made_of(map.file_field, "_") || !is_alipay_source(map.file_source))
                error("request_file", "is no file", "such as \"file_content=evidence.image\"");
        }
        if (map.fields.empty()) error("request", "is missing: this method is not a known face API", "its fields");
    }

    void response(AlipayResponseMap& map) {
        const auto take = [](std::string& to, const std::string& from) {
            if (!from.empty()) to = from;
        };
        take(map.outcome, config.outcome);
        take(map.score, config.score);
        take(map.id, config.id);
        take(map.order_no, config.order_no);
        if (config.score_max > 0) map.score_max = config.score_max;
        not_yet(map);
        values(map);
        std::set<std::string> seen;
        for (const auto* list : {&map.pass, &map.fail, &map.review, &map.pending})
            for (const std::string& value : *list) {
                if (!seen.insert(value).second)
                    error("response.pass", fmt::format("and the others list \"{}\" twice", value), "each value once");
                if (value.empty() && list != &map.pending)
                    error("response.pass", "and the others list an empty value", "only pending may");
            }
        if (!map.outcome.empty() && map.pass.empty()) error("response.pass", "is missing", "the values of a pass");
        if (map.outcome.empty() && !seen.contains(""))
            error("response.outcome", "is missing: this method is not a known face API", "the field that decides");
    }

    // What the API also answers while nothing is decided is no outcome, whoever lists it: the next answer may differ.
    void not_yet(const AlipayResponseMap& preset) {
        const std::pair<const char*, const std::vector<std::string>*> lists[] = {
            {"response.pass", &config.pass}, {"response.fail", &config.fail}, {"response.review", &config.review}};
        for (const std::string& value : preset.pending)
            for (const auto& [leaf, list] : lists)
                if (!value.empty() && std::find(list->begin(), list->end(), value) != list->end())
                    error(leaf,
                          fmt::format("lists \"{}\", which {} also answers while nothing is decided", value,
                                      config.method),
                          fmt::format("no \"{}\" there: it stays pending", value));
    }

    // A site's own outcomes take the place of all of the API's; what it names as pending comes to the API's, which
    // stays, less what the site names otherwise.
    void values(AlipayResponseMap& map) {
        const std::array<const std::vector<std::string>*, 4> own{&config.pass, &config.fail, &config.review,
                                                                 &config.pending};
        const std::array<std::vector<std::string>*, 4> to{&map.pass, &map.fail, &map.review, &map.pending};
        const auto is_own = [&own](const std::string& value) {
            return std::any_of(own.begin(), own.end(), [&value](const auto* list) {
                return std::find(list->begin(), list->end(), value) != list->end();
            });
        };
        const bool outcomes = !config.pass.empty() || !config.fail.empty() || !config.review.empty();
        for (std::size_t i = 0; i < to.size(); ++i) {
            std::erase_if(*to[i], is_own);
            if (outcomes && to[i] != &map.pending) to[i]->clear();
            to[i]->insert(to[i]->end(), own[i]->begin(), own[i]->end());
        }
    }

    // Whether Alipay knows whom to tell of a result that no answer holds.
    void told(const AlipayResponseMap& map) {
        if (config.notify_url.find("/v1/notifications/central") != std::string::npos)
            error("notify_url", "is where the other kind of centre notifies", "https://…/v1/notifications/alipay");
        if (map.later && config.notify_url.empty() && config.protocol != "v3")
            c.problems.warn(c.at(kTable + ".method"),
                            fmt::format("the results of {} come by notification, and {}.notify_url is not set: unless "
                                        "Alipay's console names one, its orders stay pending",
                                        config.method, kTable));
    }

    // Contents are encrypted in biz_content, which is not sent beside a file.
    void files(const AlipayRequestMap& map) {
        if (!map.file_field.empty() && !config.content_key_file.empty())
            error("content_key_file", "encrypts nothing of a method that takes a file",
                  "another method, or no content_key_file");
    }

    // What the v3 protocol does not have here.
    void v3(const AlipayRequestMap& map) {
        if (config.protocol != "v3") return;
        if (!map.file_field.empty()) error("protocol", "= \"v3\" sends no files", "protocol = \"v2\"");
        if (!config.content_key_file.empty()) error("content_key_file", "serves v2 only", "protocol = \"v2\"");
        if (!config.notify_url.empty())
            error("notify_url", "is sent with v2 only", "protocol = \"v2\", or the console's");
        const auto& endpoints = c.draft.config.upstream.options.endpoints;
        for (std::size_t i = 0; i < endpoints.size(); ++i)
            if (!endpoints[i].path.empty())
                c.problems.error(c.at(fmt::format("upstream.endpoint[{}].url", i)),
                                 fmt::format("{}: with protocol = \"v3\" the path is the API's", endpoints[i].url),
                                 "a URL without a path");
    }
};

}  // namespace

void check_alipay(ConfigCheck& c) {
    AlipayChecker check{c};
    check.names();
    check.keys();
    auto settings = std::make_shared<AlipaySettings>();  // owners: as UpstreamOptions says
    const AlipayConfig& config = check.config;
    if (auto preset = alipay_preset(config.method)) {
        settings->request = std::move(preset->request);
        settings->response = std::move(preset->response);
    }
    check.request(settings->request);
    check.response(settings->response);
    check.told(settings->response);
    check.files(settings->request);
    check.v3(settings->request);
    settings->app_id = config.app_id;
    settings->method = config.method;
    settings->protocol = config.protocol == "v3" ? AlipayProtocol::v3 : AlipayProtocol::v2;
    settings->notify_url = config.notify_url;
    c.draft.config.upstream.options.alipay = std::move(settings);
}

}  // namespace holdfast
