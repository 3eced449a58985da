#pragma once

#include "server/admin/admin.h"
#include "server/web/router.h"

namespace ipp::admin {

// What the admin port serves: GET and HEAD of every page. Thread-safe; `pages` must outlive the
// listener that runs it.
web::Router Front(const AdminPages* pages);

}  // namespace ipp::admin
