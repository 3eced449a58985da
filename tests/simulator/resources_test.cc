#include "tests/simulator/harness.h"

namespace ipp::simulator {
namespace {

using testing::MatchesRegex;

class SimulatorEnrollments : public SimulatorTest {
 protected:
  boost::json::value Create(const std::string& lifetime, const std::string& location = kLocation1,
                            const std::string& more = {}) {
    const Reply reply = Post("/ipp/v1/enrollments",
                             "{" + lifetime + R"(,"location_id":")" + location + "\"" + more + "}");
    EXPECT_EQ(reply.status, 201) << reply.body;
    return reply.Json();
  }
  boost::json::value List(const std::string& query = {}) {
    return Get("/ipp/v1/enrollments?" + query).Json();
  }
  void AdvanceClock(int seconds) {
    EXPECT_EQ(Post("/_sim/clock/advance", "{\"seconds\":" + std::to_string(seconds) + "}").status,
              200);
  }
};

TEST_F(SimulatorEnrollments, HaveTypeableCodesWhenShort) {
  const auto enrollment = Create(R"("ttl":"TWO_HOURS")");
  EXPECT_THAT(At(enrollment, "enrollment_code"), MatchesRegex("[A-Z0-9]{8}"));
  EXPECT_EQ(At(enrollment, "status"), "PENDING");
  EXPECT_EQ(At(enrollment, "metadata"), "{}");
  EXPECT_THAT(At(enrollment, "expires_at"), MatchesRegex("20..-..-..T..:..:..Z"));
}

TEST_F(SimulatorEnrollments, HaveLongCodesWhenLong) {
  EXPECT_EQ(At(Create(R"("ttl":"TWENTY_FOUR_HOURS")"), "enrollment_code").size(), 36u);
  EXPECT_EQ(At(Create(R"("expires_in":7200001)"), "enrollment_code").size(), 36u);
}

TEST_F(SimulatorEnrollments, ExpireByTheClock) {
  Create(R"("ttl":"TWO_HOURS")");
  Create(R"("expires_in":60000)");
  AdvanceClock(7199);
  EXPECT_EQ(At(List(), "content.0.status"), "PENDING");
  EXPECT_EQ(At(List(), "content.1.status"), "EXPIRED");
  AdvanceClock(1);
  EXPECT_EQ(At(List(), "content.0.status"), "EXPIRED");
}

TEST_F(SimulatorEnrollments, DisappearOnceDeleted) {
  const std::string target =
      "/ipp/v1/enrollments/" + At(Create(R"("ttl":"TWO_HOURS")"), "enrollment_id");
  const Reply reply = Send("DELETE", target);
  EXPECT_EQ(reply.status, 204);
  EXPECT_EQ(reply.body, "");
  EXPECT_EQ(At(List(), "total_elements"), "0");
  EXPECT_EQ(Send("DELETE", target).status, 404);
}

TEST_F(SimulatorEnrollments, AreFiltered) {
  const std::string first =
      At(Create(R"("ttl":"TWO_HOURS")", kLocation1, R"(,"metadata":{"store":"1:a","floor":"2"})"),
         "enrollment_code");
  Create(R"("ttl":"TWO_HOURS")", kLocation2, R"(,"metadata":{"store":"1:a"})");
  EXPECT_EQ(At(List(), "total_elements"), "2");
  EXPECT_EQ(At(List("metadata=store%3A1%3Aa"), "total_elements"), "2");
  EXPECT_EQ(At(List("metadata=store:1:a&metadata=floor:2"), "total_elements"), "1");
  EXPECT_EQ(At(List("metadata=store:2"), "total_elements"), "0");
  EXPECT_EQ(At(List(std::string("location_id=") + kLocation2), "total_elements"), "1");
  EXPECT_EQ(Post("/_sim/enrollments/" + first + "/consume").status, 201);
  EXPECT_EQ(At(List("include_consumed=false"), "total_elements"), "1");
  EXPECT_EQ(At(List("include_consumed=true"), "content.0.status"), "CONSUMED");
}

TEST_F(SimulatorEnrollments, PairAPhoneOnce) {
  const std::string code =
      At(Create(R"("ttl":"TWO_HOURS")", kLocation2, R"(,"metadata":{"store":"7"})"),
         "enrollment_code");
  const auto device = Post("/_sim/enrollments/" + code + "/consume").Json();
  EXPECT_EQ(At(device, "location_id"), kLocation2);
  EXPECT_EQ(At(device, "metadata.store"), "7");
  EXPECT_EQ(At(device, "unique_id"), At(device, "hardware_id"));
  EXPECT_THAT(At(device, "credentials.bearer_token"), MatchesRegex("sim_[0-9A-Za-z]{40}"));
  EXPECT_NE(At(device, "credentials.issuedAt"), "(absent)");
  const auto listed = Get("/ipp/v1/devices").Json();
  EXPECT_EQ(At(listed, "content.0.id"), At(device, "id"));
  EXPECT_EQ(At(listed, "content.0.credentials"), "(absent)");
  EXPECT_EQ(Post("/_sim/enrollments/" + code + "/consume").status, 409);
  EXPECT_EQ(Post("/_sim/enrollments/NOSUCH/consume").status, 404);
}

class SimulatorDevices : public SimulatorTest {};

TEST_F(SimulatorDevices, AreReplacedByPut) {
  const std::string id =
      NewDevice(std::string(R"(,"location_id":")") + kLocation1 + R"(","metadata":{"store":"1"})");
  const auto before = Get("/ipp/v1/devices?metadata=simulated:true").Json();
  EXPECT_EQ(At(before, "content.0.metadata.store"), "1");
  EXPECT_EQ(At(before, "content.0.open_cash_register_id"), "null");
  const Reply renamed = Send("PUT", "/ipp/v1/devices/" + id, R"({"name":"Front desk"})");
  EXPECT_EQ(renamed.status, 200);
  EXPECT_EQ(At(renamed.Json(), "name"), "Front desk");
  EXPECT_EQ(At(renamed.Json(), "location_id"), "null");
  EXPECT_EQ(At(renamed.Json(), "metadata"), "{}");
  const Reply moved =
      Send("PUT", "/ipp/v1/devices/" + id,
           std::string(R"({"metadata":{"a":"b"},"location_id":")") + kLocation2 + "\"}");
  EXPECT_EQ(At(moved.Json(), "name"), "");
  EXPECT_EQ(At(moved.Json(), "location_id"), kLocation2);
  EXPECT_EQ(At(moved.Json(), "metadata.a"), "b");
  EXPECT_EQ(
      Send("PUT", "/ipp/v1/devices/" + id, std::string(R"({"location_id":")") + kNobody + "\"}")
          .status,
      404);
}

TEST_F(SimulatorDevices, AreFilteredAndDeleted) {
  const std::string here = NewDevice(std::string(R"(,"location_id":")") + kLocation1 + "\"");
  NewDevice();
  const std::string query = std::string("/ipp/v1/devices?location_id=") + kLocation1;
  EXPECT_EQ(At(Get(query).Json(), "content.0.id"), here);
  EXPECT_EQ(At(Get(query).Json(), "total_elements"), "1");
  EXPECT_EQ(Send("DELETE", "/ipp/v1/devices/" + here).status, 204);
  EXPECT_EQ(At(Get(query).Json(), "total_elements"), "0");
  EXPECT_EQ(Post("/ipp/v1/sessions", OrderFor(here)).status, 404);
}

TEST_F(SimulatorDevices, OneShopNeedsNoLocationToPair) {
  locations_ = Simulator::Options().locations;
  Start({});
  EXPECT_EQ(At(Get("/ipp/v1/locations").Json(), "total_elements"), "1");
  const Reply made = Post("/ipp/v1/enrollments", R"({"ttl":"TWO_HOURS"})");
  ASSERT_EQ(made.status, 201) << made.body;
  const auto device =
      Post("/_sim/enrollments/" + At(made.Json(), "enrollment_code") + "/consume").Json();
  EXPECT_EQ(At(device, "location_id"), kLocation1);
}

TEST_F(SimulatorDevices, ThreeShopsHaveDifferentNamesAndIds) {
  locations_ = 3;
  Start({});
  const auto page = Get("/ipp/v1/locations").Json();
  EXPECT_EQ(At(page, "total_elements"), "3");
  EXPECT_EQ(At(page, "content.2.id"), "10c00000-0000-4000-8000-000000000003");
  EXPECT_EQ(At(page, "content.2.name"), "Storgatan, shop 3");
}

TEST_F(SimulatorDevices, CannotBeMadeInProduction) {
  Simulator::Options options;
  options.production = true;
  Start(options);
  EXPECT_EQ(Post("/ipp/v1/dev/devices", R"({"name":"a"})").status, 404);
  EXPECT_EQ(Tap(kNobody, "SUCCESS").status, 404);
}

struct PageRow {
  std::string name;
  std::string query;
  size_t size;
  std::string first_name;
  std::string number, page_size, pages, first, last;
};

class SimulatorPages : public SimulatorTest, public testing::WithParamInterface<PageRow> {};

TEST_P(SimulatorPages, OfThreeDevices) {
  for (const std::string name : {"a", "b", "c"}) {
    Post("/ipp/v1/dev/devices", R"({"name":")" + name + "\"}");
  }
  const auto& row = GetParam();
  const auto page = Get("/ipp/v1/devices" + row.query).Json();
  EXPECT_EQ(SizeAt(page, "content"), row.size);
  EXPECT_EQ(At(page, "content.0.name"), row.first_name);
  EXPECT_EQ(At(page, "total_elements"), "3");
  EXPECT_EQ(At(page, "total_pages"), row.pages);
  EXPECT_EQ(At(page, "page_number"), row.number);
  EXPECT_EQ(At(page, "page_size"), row.page_size);
  EXPECT_EQ(At(page, "first"), row.first);
  EXPECT_EQ(At(page, "last"), row.last);
}

INSTANTIATE_TEST_SUITE_P(
    Devices, SimulatorPages,
    testing::Values(PageRow{"Default", "", 3, "a", "0", "20", "1", "true", "true"},
                    PageRow{"FirstOfTwo", "?page_size=2", 2, "a", "0", "2", "2", "true", "false"},
                    PageRow{"SecondOfTwo", "?page_size=2&page_number=1", 1, "c", "1", "2", "2",
                            "false", "true"},
                    PageRow{"Middle", "?page_number=1&page_size=1", 1, "b", "1", "1", "3", "false",
                            "false"},
                    PageRow{"Largest", "?page_size=100", 3, "a", "0", "100", "1", "true", "true"},
                    PageRow{"BeyondTheEnd", "?page_number=2147483647&page_size=100", 0, "(absent)",
                            "2147483647", "100", "1", "false", "true"}),
    RowName<PageRow>);

class SimulatorLocations : public SimulatorTest {};

TEST_F(SimulatorLocations, AreListedReadAndAdded) {
  EXPECT_EQ(At(Get("/ipp/v1/locations?page_size=1000").Json(), "total_elements"), "2");
  const auto location = Get(std::string("/ipp/v1/locations/") + kLocation2).Json();
  EXPECT_EQ(At(location, "city"), "Göteborg");
  EXPECT_EQ(At(location, "country"), "SE");
  const Reply added = Post("/_sim/locations", R"({"name":"Market","city":"Lund"})");
  EXPECT_EQ(added.status, 201);
  EXPECT_EQ(Get("/ipp/v1/locations/" + At(added.Json(), "id")).body, added.body);
  EXPECT_EQ(Post("/_sim/locations", R"({"name":"x","merchant_id":"PM9"})").status, 400);
}

}  // namespace
}  // namespace ipp::simulator
