// The paths of the admin socket: one list for the node that serves them and for holdfastctl that asks. What each takes
// and answers is written at the head of edge/ctl/admin_client.h.
#pragma once

#include <string_view>

namespace holdfast::admin {

inline constexpr std::string_view kStatus = "/v1/status";                // GET
inline constexpr std::string_view kDegrade = "/v1/degrade";              // POST
inline constexpr std::string_view kCircuit = "/v1/circuit";              // GET, POST
inline constexpr std::string_view kUpstream = "/v1/upstream";            // GET, POST
inline constexpr std::string_view kCacheStats = "/v1/cache/stats";       // GET
inline constexpr std::string_view kCacheGet = "/v1/cache/get";           // POST
inline constexpr std::string_view kCachePurge = "/v1/cache/purge";       // POST
inline constexpr std::string_view kCacheRevoke = "/v1/cache/revoke";     // POST
inline constexpr std::string_view kPolicyTest = "/v1/policy/test";       // POST
inline constexpr std::string_view kConfig = "/v1/config";                // GET, ?origin=1
inline constexpr std::string_view kConfigReload = "/v1/config/reload";   // POST
inline constexpr std::string_view kConfigHistory = "/v1/config/history"; // GET
inline constexpr std::string_view kConfigRollback = "/v1/config/rollback"; // POST
inline constexpr std::string_view kJournal = "/v1/journal";              // GET, ?n= &after=
inline constexpr std::string_view kJournalVerify = "/v1/journal/verify"; // GET
inline constexpr std::string_view kExplain = "/v1/explain/";             // GET, the request id follows
inline constexpr std::string_view kDrain = "/v1/drain";                  // GET, POST
inline constexpr std::string_view kUndrain = "/v1/undrain";              // POST
inline constexpr std::string_view kUpgrade = "/v1/upgrade";              // GET, POST
inline constexpr std::string_view kStateReset = "/v1/state/reset";       // POST
inline constexpr std::string_view kReconcile = "/v1/reconcile";          // GET, POST
inline constexpr std::string_view kPeers = "/v1/peers";                  // GET
inline constexpr std::string_view kFleetAccept = "/v1/fleet/accept";     // POST

inline constexpr std::size_t kRequestBytesMax = 8u << 20; // of a body that the node accepts on the admin socket
inline constexpr std::size_t kAnswerBytesMax = 32u << 20; // of an answer that holdfastctl accepts
inline constexpr std::size_t kJournalPageMax = 1000;      // entries in one answer

} // namespace holdfast::admin
