// Forms as the Alipay double reads and writes them (application/x-www-form-urlencoded and multipart/form-data), and the
// string that is signed over their fields. Its own reading of the rules, shared with nothing of the product.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace holdfast {

struct AlipayForm {
    std::map<std::string, std::string> fields;
    std::map<std::string, std::string> files;                      // of multipart: not signed
    std::string repeated;                                          // the name of a field that came twice
    const std::string& operator[](const std::string& name) const;  // empty: not there
};

// Adds what `text` holds. False for bad percent escapes or for text that is not UTF-8.
bool read_form(std::string_view text, AlipayForm& form);
// False for a body that does not follow its Content-Type.
bool read_multipart(std::string_view content_type, std::string_view body, AlipayForm& form);

// k=v&k=v over the fields in the order of their bytes, values as they are; `sign` never takes part.
struct SignRule {
    bool sign_type = true;    // it takes part: yes in requests, no in notifications of the first kind
    bool keep_empty = false;  // fields without a value take part
};
std::string sign_string(const std::map<std::string, std::string>& fields, SignRule rule);

std::string form_encoded(const std::map<std::string, std::string>& fields);

}  // namespace holdfast
