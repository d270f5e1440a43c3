// What the planner's HTML pages share.
//
// Pure; any thread. Included by report.cc and plan_page.cc alone.
#pragma once

namespace mortar::plan {

inline constexpr char kStyle[] =
    "<style>body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:70em;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;margin:.5em 0 2em}td,th{padding:.2em .7em;text-align:right;"
    "border-bottom:1px solid #ddd}td:first-child,th:first-child{text-align:left}h2.s{color:#865}"
    "td.l,th.l{text-align:left}svg{background:#fafafa;border:1px solid #ddd}.bar{fill:#47a}svg "
    "text{font-size:12px;fill:#555}.dot{display:inline-block;width:.7em;height:.7em;border-radius:50%;margin:"
    "0 .3em 0 1em}</style>";

}  // namespace mortar::plan
