#pragma once

#include <limits>
#include <memory>
#include <vector>

#include "simulator/http.h"
#include "simulator/json_writer.h"
#include "simulator/uri.h"

namespace ipp::simulator {

struct PageRequest {
  int64_t number = 0;
  int64_t size = 20;
};

inline PageRequest ReadPageRequest(const Query& query, int64_t max_size, FieldErrors* errors) {
  constexpr int64_t kMaxInt32 = std::numeric_limits<int32_t>::max();
  return {query.Integer("page_number", 0, 0, kMaxInt32, errors),
          query.Integer("page_size", 20, 1, max_size, errors)};
}

// One page, in the envelope that all lists have, of the items that `keep` wants.
template <typename T, typename Keep, typename Write>
Response RenderPage(const std::vector<std::unique_ptr<T>>& items, PageRequest page, Keep keep,
                    Write write) {
  JsonWriter json;
  json.BeginObject();
  json.Key("content").BeginArray();
  const int64_t begin = page.number * page.size;
  int64_t total = 0;
  for (const auto& item : items) {
    if (!keep(*item)) continue;
    if (total >= begin && total - begin < page.size) write(*item, json);
    ++total;
  }
  json.EndArray();
  const int64_t pages = (total + page.size - 1) / page.size;
  json.Key("total_elements").Integer(total);
  json.Key("total_pages").Integer(pages);
  json.Key("page_number").Integer(page.number);
  json.Key("page_size").Integer(page.size);
  json.Key("first").Bool(page.number == 0);
  json.Key("last").Bool(page.number + 1 >= pages);
  json.EndObject();
  Response response;
  response.body = json.Take();
  return response;
}

}  // namespace ipp::simulator
