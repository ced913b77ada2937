// Forms, and notifications: which are believed, and which are not.
#include "upstream/notification.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cctype>

#include "tests/support/alipay_settings.h"

using namespace holdfast;
namespace av = holdfast::alipay_vectors;

namespace {

Result<Notification> read(const std::string& body, const AlipaySettings& s = av::settings(), bool is_json = false) {
    json::Document doc;
    const auto form = read_notification_fields(body, is_json, doc);
    if (!form) return tl::unexpected(form.error());
    return read_alipay_notification(s, *form, doc);
}

Form fields(std::vector<std::pair<std::string, std::string>> more = {}) {
    Form form;
    form.add("notify_id", "N1");
    form.add("app_id", "2021000000000001");
    form.add("notify_time", "2026-11-23 10:21:00");
    form.add("outer_order_no", "O-1");
    form.add("certify_id", "C-1");
    form.add("sign_type", "RSA2");
    for (auto& [name, value] : more) form.add(std::move(name), std::move(value));
    return form;
}

// The same with another value for one field; without it when there is none.
Form with(const Form& from, std::string_view name, std::optional<std::string> value) {
    Form out;
    for (const FormField& f : from.fields())
        if (f.name != name || value) out.add(f.name, f.name == name ? *value : f.value);
    return out;
}

// Signed by Alipay, as most products do.
std::string body_of(const Form& form, SignEmpty empty = SignEmpty::keep, SignTypeField type = SignTypeField::drop) {
    std::string out;
    for (const FormField& f : form.fields()) append_form_field(out, f.name, f.value);
    append_form_field(out, "sign", av::private_key("alipay_private_pkcs1").sign(sign_content(form, empty, type)));
    return out;
}

}  // namespace

TEST_CASE("form: every byte is written as a browser writes it") {
    std::string out = "=", expected = "=";
    for (int b = 0; b < 256; ++b) {
        const std::string one(1, static_cast<char>(b));
        const bool plain = (std::isalnum(b) != 0 && b < 128) || std::string_view("*-._").find(one) != std::string::npos;
        const std::string written = plain ? one : b == ' ' ? "+" : fmt::format("%{:02X}", b);
        append_form_encoded(out, one);
        append_form_encoded(out, "ab" + one + one + "c");
        expected += written + "ab" + written + written + "c";
    }
    append_form_encoded(out, "");
    CHECK(out == expected);
}

TEST_CASE("form: what is one, and what is none") {
    const auto form = parse_form("a=1+2&b=%E5%BC%A0%2B&&c&d=x=y");
    REQUIRE(form);
    CHECK(form->get("a") == "1 2");
    CHECK(form->get("b") == "张+");
    CHECK(form->get("c").empty());
    CHECK(form->find("c") != nullptr);
    CHECK(form->get("d") == "x=y");
    for (const char* text : {"a=1&a=2", "a=%zz", "a=%2", "=x", "a=%ff", "a=%00", "a=1&%61=2"})
        CHECK_FALSE(parse_form(text));
    std::string many;
    for (std::size_t i = 0; i < kFormFieldsMax; ++i) append_form_field(many, "f" + std::to_string(i), "");
    CHECK(parse_form(many));
    CHECK_FALSE(parse_form(many + "&one=more"));
    CHECK(parse_form(std::string(kFormNameMax, 'n') + "=1"));
    CHECK_FALSE(parse_form(std::string(kFormNameMax + 1, 'n') + "=1"));
}

TEST_CASE("notification: recorded ones are taken or refused as they must be") {
    const av::Vectors v("alipay_notify.json");
    std::size_t n = 0;
    for (json::Value one = v["cases"].first(); one; one = one.next(), ++n) {
        INFO(av::text(one["name"]));
        const auto got = read(av::text(one["form_body"]));
        CHECK(got.has_value() == (av::text(one["expect"]).rfind("accept", 0) == 0));
        if (!got) continue;
        CHECK(got->id == "2026112300222102100000000000000001");
        CHECK(got->order_no == "POP1202611231020300001");
        CHECK(got->verification_id == "2109b5e671aa3ff2eb4851816c65828f");
        REQUIRE(got->outcome);
        CHECK(got->outcome->verdict == Verdict::pass);
        CHECK(got->sent == parse_rfc3339("2026-11-23T02:21:00Z"));
    }
    CHECK(n >= 15);
}

TEST_CASE("notification: RSA2 is pinned, whatever the message says of itself") {
    for (const char* type : {"RSA", "rsa2", "RSA2 ", "", "SM2"}) {
        const Form form = with(fields({{"passed", "T"}}), "sign_type", type);
        INFO(type);
        CHECK(read(body_of(form)).error().code == Code::denied);
        CHECK(read(body_of(form, SignEmpty::keep, SignTypeField::keep)).error().code == Code::denied);
    }
}

TEST_CASE("notification: a field more, less or twice is another message") {
    const std::string good = body_of(fields({{"passed", "F"}}));
    REQUIRE(read(good));
    CHECK_FALSE(read(good + "&passed=T"));
    CHECK_FALSE(read(good + "&extra=1"));
    CHECK_FALSE(read("passed=T&" + good));
    CHECK_FALSE(read(good.substr(good.find('&') + 1)));
    CHECK_FALSE(read(""));
    CHECK_FALSE(read(std::string(kNotifyBytesMax + 1, 'a')));
}

TEST_CASE("notification: only a listed value of the outcome decides anything") {
    CHECK(read(body_of(fields({{"passed", "T"}})))->outcome->verdict == Verdict::pass);
    CHECK(read(body_of(fields({{"passed", "F"}})))->outcome->verdict == Verdict::fail);
    for (const char* value : {"", "t", "TRUE", "T ", "pass"})
        CHECK_FALSE(read(body_of(fields({{"passed", value}})))->outcome);
    CHECK_FALSE(read(body_of(fields()))->outcome);
    // Where F also says "not yet", it is no outcome.
    const AlipaySettings query = av::settings("alipay.user.certify.open.query");
    CHECK_FALSE(read(body_of(fields({{"passed", "F"}})), query)->outcome);
    CHECK(read(body_of(fields({{"passed", "T"}})), query)->outcome->verdict == Verdict::pass);
    // Newer products put it into biz_content.
    Form inside = with(fields(), "outer_order_no", std::nullopt);
    inside.add("biz_content", R"({"outer_order_no":"O-2","passed":"T"})");
    const auto got = read(body_of(inside));
    REQUIRE(got);
    CHECK(got->order_no == "O-2");
    CHECK(got->outcome->verdict == Verdict::pass);
}

TEST_CASE("notification: contents that cannot be read are no notification that decides nothing") {
    const auto of = [](const std::string& content, const std::string& encrypted = {}) {
        Form form = with(fields(), "outer_order_no", std::nullopt);
        form.add("biz_content", content);
        if (!encrypted.empty()) form.add("encrypt_type", encrypted);
        return body_of(form);
    };
    const std::string content = R"({"outer_order_no":"O-2","passed":false})";
    AlipaySettings s = av::settings();
    s.response.pass = {"true"};
    s.response.fail = {"false"};
    REQUIRE(read(of(content), s)->outcome);
    CHECK(read(of(content), s)->outcome->verdict == Verdict::fail);
    CHECK_FALSE(read(of("{"), s));
    CHECK_FALSE(read(of("[1]"), s));
    s.cipher = *rsa2::ContentCipher::make("AAECAwQFBgcICQoLDA0ODw==");
    const std::string sealed = s.cipher->encrypt(content).value();
    const auto got = read(of(sealed, "AES"), s);
    REQUIRE(got);
    CHECK(got->order_no == "O-2");
    CHECK(got->outcome->verdict == Verdict::fail);
    CHECK_FALSE(read(of(sealed), s));  // it does not say so
    CHECK_FALSE(read(of(content, "AES"), s));
    s.cipher.reset();
    CHECK_FALSE(read(of(sealed, "AES"), s));
}

TEST_CASE("notification: its score is that of an answer") {
    const auto score = [](const char* text, const char* method = "alipay.user.faceverify.verify") {
        return read(body_of(fields({{"passed", "T"}, {"score", text}})), av::settings(method))->outcome->score;
    };
    CHECK(score("0.98") == 0.98);
    CHECK(score("95.5", "datadigital.fincloud.generalsaas.face.source.certify") == 0.955);
    for (const char* text : {"", "-0.1", "1.01", "nan", "inf", "0.9x", " 0.9"}) CHECK_FALSE(score(text));
    CHECK_FALSE(read(body_of(fields({{"passed", "T"}})))->outcome->score);
    // In contents it may be a number.
    const auto inside = [](const std::string& value, const char* method = "alipay.user.faceverify.verify") {
        const std::string content = R"({"passed":"T","score":)" + value + "}";
        return read(body_of(fields({{"biz_content", content}})), av::settings(method))->outcome->score;
    };
    CHECK(inside("0.98") == 0.98);
    CHECK(inside(R"("0.98")") == 0.98);
    CHECK(inside("1") == 1.0);
    CHECK(inside("95.5", "datadigital.fincloud.generalsaas.face.source.certify") == 0.955);
    for (const char* value : {"1.01", "-0.1", "true", "null", "{}", "[0.9]", R"("")"}) CHECK_FALSE(inside(value));
}

TEST_CASE("notification: of an API whose call only begins it, the outcome is in the notification") {
    const auto says = [](const char* method, const char* name, const char* value) {
        return read(body_of(fields({{name, value}})), av::settings(method))->outcome;
    };
    for (const char* method :
         {"alipay.user.certify.open.initialize", "datadigital.fincloud.generalsaas.face.certify.initialize"}) {
        CHECK(says(method, "passed", "T")->verdict == Verdict::pass);
        CHECK(says(method, "passed", "F")->verdict == Verdict::fail);
        CHECK_FALSE(says(method, "passed", "X"));
        CHECK_FALSE(says(method, "certify_state", "SUCCESS"));
    }
    const char* const state = "datadigital.fincloud.generalsaas.face.verification.initialize";
    CHECK(says(state, "certify_state", "SUCCESS")->verdict == Verdict::pass);
    CHECK(says(state, "certify_state", "FAIL")->verdict == Verdict::fail);
    CHECK_FALSE(says(state, "certify_state", "PROCESSING"));
    CHECK_FALSE(says(state, "passed", "T"));
}

TEST_CASE("notification: it may be JSON, whose values are texts") {
    const Form form = fields({{"passed", "T"}});
    std::string body;
    json::Writer w(body);
    w.begin_object();
    for (const FormField& f : form.fields()) w.member(f.name, f.value);
    const std::string start = body;
    const std::string sign =
        av::private_key("alipay_private_pkcs1").sign(sign_content(form, SignEmpty::keep, SignTypeField::drop));
    w.member("sign", sign).end_object();
    CHECK(read(body, av::settings(), true)->outcome->verdict == Verdict::pass);
    CHECK_FALSE(read(start + R"(,"n":1,"sign":"x"})", av::settings(), true));
    CHECK_FALSE(read("[]", av::settings(), true));
    CHECK_FALSE(read(body.substr(0, body.size() - 1) + R"(,"passed":"T"})", av::settings(), true));
}

TEST_CASE("notification: with certificates the named one must be ours") {
    AlipaySettings s = av::settings();
    av::use_certificates(s);
    CHECK(read(body_of(fields({{"passed", "T"}})), s));  // it need not name one
    CHECK(read(body_of(fields({{"passed", "T"}, {"alipay_cert_sn", av::key("alipay_cert_sn")}})), s));
    CHECK_FALSE(read(body_of(fields({{"passed", "T"}, {"alipay_cert_sn", "4538e7"}})), s));
}

TEST_CASE("notification: ids and order numbers that are none are refused after the signature") {
    const Form good = fields({{"passed", "T"}});
    for (const char* order : {"O/1", "O 1", "a.b"})
        CHECK(read(body_of(with(good, "outer_order_no", order))).error().code == Code::invalid);
    CHECK(read(body_of(with(good, "notify_id", std::nullopt))).error().code == Code::invalid);
}
