#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Returns from the enclosing function if `expr`, an absl::Status, is not OK.
#define IPP_RETURN_IF_ERROR(expr)                                              \
  do {                                                                         \
    if (absl::Status ipp_status = (expr); !ipp_status.ok()) return ipp_status; \
  } while (false)

#define IPP_CONCAT_INNER(a, b) a##b
#define IPP_CONCAT(a, b) IPP_CONCAT_INNER(a, b)

// IPP_ASSIGN_OR_RETURN(auto x, F()): declares x, or returns F's status.
#define IPP_ASSIGN_OR_RETURN(lhs, expr) \
  IPP_ASSIGN_OR_RETURN_INNER(IPP_CONCAT(ipp_status_or_, __LINE__), lhs, expr)
#define IPP_ASSIGN_OR_RETURN_INNER(result, lhs, expr)  \
  auto result = (expr);                                \
  if (!result.ok()) return std::move(result).status(); \
  lhs = *std::move(result)
