// Arbitrary bytes as a form: what is read, written again and read again is the same form, its names differ, and its
// sign string does not depend on the order in which the fields came.
#include <cstdint>
#include <set>
#include <string_view>

#include "edge/base/bytes.h"
#include "edge/base/check.h"
#include "upstream/form.h"

using namespace holdfast;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto form = parse_form(std::string_view(reinterpret_cast<const char*>(data), size));
    if (!form) return 0;
    HF_CHECK(form->fields().size() <= kFormFieldsMax);
    std::set<std::string> names;
    std::string forward, backward;
    for (const FormField& f : form->fields()) {
        HF_CHECK(names.insert(f.name).second && is_utf8(f.name) && is_utf8(f.value));
        append_form_field(forward, f.name, f.value);
        std::string one;
        append_form_field(one, f.name, f.value);
        backward = backward.empty() ? one : one + "&" + backward;
    }
    for (const std::string& text : {forward, backward}) {
        const auto again = parse_form(text);
        HF_CHECK(again.has_value() && again->fields().size() == form->fields().size());
        for (const auto empty : {SignEmpty::keep, SignEmpty::drop})
            HF_CHECK(sign_content(*again, empty, SignTypeField::drop) ==
                     sign_content(*form, empty, SignTypeField::drop));
    }
    return 0;
}
