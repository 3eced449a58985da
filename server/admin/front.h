#pragma once

#include "server/admin/admin.h"
#include "server/web/router.h"

namespace ipp::admin {

// The routes of the admin port: GET and HEAD of every page, and `more`. Thread-safe; `pages` must
// outlive the listener that uses the router.
web::Router Front(const AdminPages* pages, std::vector<web::Router::Route> more = {});

}  // namespace ipp::admin
