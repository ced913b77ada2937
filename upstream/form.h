// application/x-www-form-urlencoded, strictly: '+' is a space, %XX is decoded once, a name stands once, everything is
// UTF-8. Alipay signs over such fields, so two readings of one text must not exist.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "edge/base/result.h"

namespace holdfast {

inline constexpr std::size_t kFormFieldsMax = 128;
inline constexpr std::size_t kFormNameMax = 128;  // bytes, decoded

struct FormField {
    std::string name, value;
};

// The fields of a form, in the order in which they came; names are not empty and differ.
class Form {
  public:
    // Requires: the name is not there yet.
    void add(std::string name, std::string value) { fields_.push_back({std::move(name), std::move(value)}); }
    // The value, or nothing.
    const std::string* find(std::string_view name) const;
    std::string_view get(std::string_view name) const;  // empty when it is not there
    const std::vector<FormField>& fields() const { return fields_; }
    bool full() const { return fields_.size() >= kFormFieldsMax; }

  private:
    std::vector<FormField> fields_;
};

// Code::invalid, Origin::client, for anything else than a form; empty pieces between '&' are skipped. `into` has what
// was read before, so that a query and a body make one form.
Result<void> parse_form(std::string_view text, Form& into);
Result<Form> parse_form(std::string_view text);
// As browsers and the official SDK write it: A-Za-z0-9*-._ stay, a space becomes '+', the rest %XX.
void append_form_encoded(std::string& out, std::string_view text);
// "name=value", after an '&' unless `out` ends where a form begins (empty, or with '?').
void append_form_field(std::string& out, std::string_view name, std::string_view value);

// What Alipay signs: fields sorted by name in byte order, "name=value" joined with '&', values as they are. `sign` is
// never part of it.
enum class SignEmpty { keep, drop };      // fields without a value
enum class SignTypeField { keep, drop };  // the field sign_type
std::string sign_content(const Form& form, SignEmpty empty, SignTypeField sign_type);

}  // namespace holdfast
