// The spans of upstream requests: one an attempt, under the span of whoever asked for the call.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/fake_tracer.h"
#include "tests/upstream/client_bed.h"

namespace ipp::upstream {
namespace {

using namespace fixtures;  // NOLINT: the words of these tests
using http::FakeTransport;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using Attributes = std::map<std::string, std::string>;

constexpr char kTrace[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
constexpr char kFirst[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000001-01";
constexpr char kSecond[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000002-01";

class AttemptSpanTest : public ClientBed {
 protected:
  AttemptSpanTest() {
    UpstreamOptions options;
    options.tracer = &tracer_;
    Restart(options);
  }
  CallContext Traced(const std::string& traceparent = kTrace) {
    CallContext context = Context();
    context.trace = {.traceparent = traceparent, .tracestate = "vendor=1"};
    return context;
  }
  std::string SentHeader(size_t request, const std::string& name) {
    const auto headers = transport_.requests().at(request).headers;
    for (const auto& [key, value] : headers) {
      if (key == name) return value;
    }
    return "";
  }
  // The only span.
  FakeTracer::Ended Only() {
    const auto ended = tracer_.ended();
    EXPECT_THAT(ended, SizeIs(1));
    EXPECT_EQ(tracer_.open(), 0);
    return ended.empty() ? FakeTracer::Ended() : ended[0];
  }

  FakeTracer tracer_;
};

TEST_F(AttemptSpanTest, IsTheParentThatTheUpstreamSees) {
  transport_.Answer(200, kSession);
  GetSession(Traced());
  transport_.RunAll();
  const FakeTracer::Ended span = Only();
  EXPECT_EQ(span.parent, kTrace);
  EXPECT_EQ(span.kind, SpanKind::kClient);
  EXPECT_EQ(SentHeader(0, "traceparent"), kFirst);
  EXPECT_EQ(SentHeader(0, "tracestate"), "vendor=1");
}

constexpr char kExemplar[] = "trace_id=\"4bf92f3577b34da6a3ce929d0e0e4736\"";

TEST_F(AttemptSpanTest, HasItsTraceAsTheExemplarOfItsDuration) {
  transport_.Answer(200, kSession);
  GetSession(Traced());
  transport_.RunAll();
  EXPECT_THAT(metrics_.OpenMetrics(), HasSubstr(kExemplar));
}

TEST_F(AttemptSpanTest, IsNoExemplarIfTheTraceIsNotRecorded) {
  transport_.Answer(200, kSession);
  GetSession(Traced("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"));
  transport_.RunAll();
  EXPECT_THAT(metrics_.OpenMetrics(), Not(HasSubstr(kExemplar)));
}

TEST_F(AttemptSpanTest, NamesTheTemplateAndNoId) {
  transport_.Answer(200, kSession);
  GetSession(Traced());
  transport_.RunAll();
  const FakeTracer::Ended span = Only();
  EXPECT_EQ(span.name, "GET /ipp/v1/sessions/{session_id}");
  EXPECT_EQ(span.attributes, (Attributes{{"http.request.method", "GET"},
                                         {"url.template", "/ipp/v1/sessions/{session_id}"},
                                         {"ipp.transport.verdict", "ANSWERED"},
                                         {"http.response.status_code", "200"}}));
  EXPECT_EQ(span.failed, "");
}

TEST_F(AttemptSpanTest, IsOneForEachAttempt) {
  transport_.Answer(503);
  transport_.Answer(200, kSession);
  GetSession(Traced());
  transport_.RunAll();
  PassPause();
  transport_.RunAll();
  const auto spans = tracer_.ended();
  ASSERT_THAT(spans, SizeIs(2));
  EXPECT_EQ(spans[0].attributes.at("http.response.status_code"), "503");
  EXPECT_EQ(spans[0].failed, "503");
  EXPECT_EQ(spans[0].attributes.count("http.request.resend_count"), 0u);
  EXPECT_EQ(spans[1].attributes.at("http.request.resend_count"), "1");
  EXPECT_EQ(spans[1].parent, kTrace) << "not a child of the first attempt";
  EXPECT_EQ(SentHeader(1, "traceparent"), kSecond);
}

TEST_F(AttemptSpanTest, SaysWhatTheTransportKnows) {
  for (const auto& [fate, verdict] : {std::pair{http::RequestFate::kNotSent, "NOT_SENT"},
                                      {http::RequestFate::kSent, "UNKNOWN"},
                                      {http::RequestFate::kUnknown, "UNKNOWN"}}) {
    result_.reset();
    transport_.HandleWith([fate = fate](const auto&) {
      return FakeTransport::Failed(absl::UnavailableError("it broke"), fate);
    });
    CancelSession(Traced());
    transport_.RunAll();
    ASSERT_THAT(tracer_.ended(), Not(IsEmpty()));
    const FakeTracer::Ended span = tracer_.ended().back();
    EXPECT_EQ(span.attributes.at("ipp.transport.verdict"), verdict);
    EXPECT_EQ(span.attributes.count("http.response.status_code"), 0u);
    EXPECT_EQ(span.failed, "UNAVAILABLE");
  }
}

TEST_F(AttemptSpanTest, IsNotMadeForATraceThatIsNotRecorded) {
  const std::string unsampled = std::string(kTrace, sizeof(kTrace) - 2) + "0";
  transport_.Answer(200, kSession);
  GetSession(Traced(unsampled));
  transport_.RunAll();
  EXPECT_THAT(tracer_.ended(), IsEmpty());
  EXPECT_EQ(tracer_.open(), 0);
  EXPECT_EQ(SentHeader(0, "traceparent"), unsampled);
}

}  // namespace
}  // namespace ipp::upstream
