// The option table for readers that are not the node: JSON lines for tools (the man page, a completion), a JSON schema
// for editors, and the reference page. Whatever is said of a key is said from its row.
#pragma once

#include <string>

namespace holdfast {

// One JSON object a line, in the order of the table: {"key","section","heading","name","kind","expects","default"?,
// "bounds"?,"choices"?:[],"required":bool,"reload":"hot|restart","doc"}. "default" is TOML text.
std::string dump_options();
// Draft 2020-12, of the file as JSON. Unknown keys do not validate, as they do not load.
std::string dump_schema();
// The reference page, Markdown.
std::string dump_reference();

}  // namespace holdfast
