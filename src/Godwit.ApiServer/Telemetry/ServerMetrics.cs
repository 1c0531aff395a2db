using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Godwit.ApiServer.Telemetry;

/// <summary>
/// What the server counts, in Prometheus' text form. Label values come from what the server serves, never from what a
/// client typed, so the number of series is bounded.
/// </summary>
internal sealed class ServerMetrics
{
    private static readonly double[] BucketSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

    private readonly ConcurrentDictionary<(string Verb, string Resource, int Code), Counter> requests = new();
    private readonly ConcurrentDictionary<(string Verb, string Resource), Histogram> durations = new();
    private int watchers;
    private int inFlight;

    public void RequestStarted() => Interlocked.Increment(ref inFlight);

    /// <param name="verb">One of the API's verbs.</param>
    /// <param name="resource">The plural of a kind that is served, or empty.</param>
    /// <param name="code">The HTTP status.</param>
    /// <param name="elapsed">Null for a watch or a stream, whose length says nothing.</param>
    public void RequestEnded(string verb, string resource, int code, TimeSpan? elapsed)
    {
        Interlocked.Decrement(ref inFlight);
        requests.GetOrAdd((verb, resource, code), _ => new Counter()).Add();
        if (elapsed is { } time)
        {
            durations.GetOrAdd((verb, resource), _ => new Histogram()).Observe(time.TotalSeconds);
        }
    }

    /// <summary>How many events the audit log has lost; null: there is none.</summary>
    public Func<long>? AuditEventsLost { get; set; }

    public void WatchStarted() => Interlocked.Increment(ref watchers);

    public void WatchEnded() => Interlocked.Decrement(ref watchers);

    public string Write(long storeRevision)
    {
        var text = new StringBuilder(8192);
        Head(text, "godwit_apiserver_requests_total", "counter", "Requests answered.");
        foreach (var ((verb, resource, code), counter) in requests)
        {
            text.Append(CultureInfo.InvariantCulture, $"godwit_apiserver_requests_total{{verb=\"{verb}\",resource=\"{resource}\",code=\"{code}\"}} {counter.Value}\n");
        }

        Head(text, "godwit_apiserver_request_duration_seconds", "histogram", "From the request's head to the end of its answer; watches and streams are left out.");
        foreach (var ((verb, resource), histogram) in durations)
        {
            histogram.Write(text, $"verb=\"{verb}\",resource=\"{resource}\"");
        }

        using var process = Process.GetCurrentProcess();
        Gauge(text, "godwit_apiserver_requests_in_flight", "Requests under way.", Volatile.Read(ref inFlight));
        Gauge(text, "godwit_apiserver_watchers", "Watches open.", Volatile.Read(ref watchers));
        Gauge(text, "godwit_store_revision", "The store's newest revision.", storeRevision);
        Head(text, "godwit_apiserver_audit_events_lost_total", "counter", "Events that could not be written to the audit log.");
        text.Append(CultureInfo.InvariantCulture, $"godwit_apiserver_audit_events_lost_total {AuditEventsLost?.Invoke() ?? 0}\n");
        Gauge(text, "process_resident_memory_bytes", "Resident memory.", process.WorkingSet64);
        Gauge(text, "process_managed_heap_bytes", "Memory of live and dead managed objects.", GC.GetTotalMemory(forceFullCollection: false));
        Head(text, "process_cpu_seconds_total", "counter", "Processor time, user and system.");
        text.Append(CultureInfo.InvariantCulture, $"process_cpu_seconds_total {process.TotalProcessorTime.TotalSeconds}\n");
        return text.ToString();
    }

    private static void Gauge(StringBuilder text, string name, string help, long value)
    {
        Head(text, name, "gauge", help);
        text.Append(CultureInfo.InvariantCulture, $"{name} {value}\n");
    }

    private static void Head(StringBuilder text, string name, string type, string help) =>
        text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {help}\n# TYPE {name} {type}\n");

    private sealed class Counter
    {
        private long value;

        public long Value => Volatile.Read(ref value);

        public void Add() => Interlocked.Increment(ref value);
    }

    private sealed class Histogram
    {
        private const string Name = "godwit_apiserver_request_duration_seconds";

        private readonly long[] counts = new long[BucketSeconds.Length + 1];
        private long sumMicroseconds;

        public void Observe(double seconds)
        {
            var bucket = Array.FindIndex(BucketSeconds, bound => seconds <= bound);
            Interlocked.Increment(ref counts[bucket < 0 ? BucketSeconds.Length : bucket]);
            Interlocked.Add(ref sumMicroseconds, (long)(seconds * 1e6));
        }

        public void Write(StringBuilder text, string labels)
        {
            var total = 0L;
            for (var bucket = 0; bucket <= BucketSeconds.Length; bucket++)
            {
                total += Volatile.Read(ref counts[bucket]);
                var bound = bucket < BucketSeconds.Length ? BucketSeconds[bucket].ToString(CultureInfo.InvariantCulture) : "+Inf";
                text.Append(CultureInfo.InvariantCulture, $"{Name}_bucket{{{labels},le=\"{bound}\"}} {total}\n");
            }

            text.Append(CultureInfo.InvariantCulture, $"{Name}_sum{{{labels}}} {Volatile.Read(ref sumMicroseconds) / 1e6}\n{Name}_count{{{labels}}} {total}\n");
        }
    }
}
