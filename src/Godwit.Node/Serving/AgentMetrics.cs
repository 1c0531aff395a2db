using System.Globalization;
using System.Text;
using Godwit.Machines;
using Godwit.Node.Guests;
using Godwit.Node.Peers;

namespace Godwit.Node.Serving;

/// <summary>One sample for Prometheus, and what it means.</summary>
/// <param name="Name">In Prometheus' form, with the unit last.</param>
/// <param name="Kind"><c>counter</c> or <c>gauge</c>.</param>
/// <param name="Help">One sentence.</param>
/// <param name="Labels">Names and values.</param>
internal sealed record MetricSample(string Name, string Kind, string Help, double Value, params IReadOnlyList<(string Name, string Value)> Labels);

/// <summary>Samples as Prometheus reads them: text format 0.0.4, samples of one name together.</summary>
internal static class MetricText
{
    public static string Write(IEnumerable<MetricSample> samples)
    {
        var text = new StringBuilder();
        foreach (var family in samples.GroupBy(sample => sample.Name, StringComparer.Ordinal))
        {
            var first = family.First();
            text.Append(CultureInfo.InvariantCulture, $"# HELP {first.Name} {first.Help}\n# TYPE {first.Name} {first.Kind}\n");
            foreach (var sample in family)
            {
                var labels = string.Join(',', sample.Labels.Select(label => $"{label.Name}=\"{Escape(label.Value)}\""));
                text.Append(sample.Name);
                if (labels.Length > 0)
                {
                    text.Append('{').Append(labels).Append('}');
                }

                text.Append(CultureInfo.InvariantCulture, $" {sample.Value:R}\n");
            }
        }

        return text.ToString();
    }

    private static string Escape(string value) =>
        value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
}

/// <summary>What the agent tells about itself and its guests.</summary>
internal sealed class AgentMetrics(LocalMachines machines, UsageSampler usage, IGuestNetwork network, PeerListener peers)
{
    private readonly List<Func<IEnumerable<MetricSample>>> sources = [];

    /// <summary>Adds samples of another part, asked for with each reading.</summary>
    public void Add(Func<IEnumerable<MetricSample>> source) => sources.Add(source);

    public string Write() => MetricText.Write(OfGuests().Concat(OfAgent()).Concat(sources.SelectMany(source => source())));

    private IEnumerable<MetricSample> OfAgent()
    {
        yield return new MetricSample("godwit_agent_machines", "gauge", "Machines on this node.", machines.All.Count);
        yield return new MetricSample("godwit_agent_peer_connections", "gauge", "Connections of other agents.", peers.ConnectionCount);
        yield return new MetricSample("godwit_agent_resident_bytes", "gauge", "Resident memory of the agent.", Environment.WorkingSet);
    }

    private IEnumerable<MetricSample> OfGuests()
    {
        foreach (var machine in machines.All)
        {
            var (guestNamespace, name) = machine.Spec.DisplayName.Split('/') is [var space, var rest] ? (space, rest) : ("", machine.Spec.DisplayName);
            (string, string)[] labels = [("namespace", guestNamespace), ("name", name), ("uid", machine.Spec.Id.ToString())];
            MetricSample Sample(string metric, string kind, string help, double value) => new(metric, kind, help, value, labels);

            yield return Sample("godwit_vm_running", "gauge", "1 while the guest's CPUs run.", machine.RunState == MachineRunState.Running ? 1 : 0);
            yield return Sample("godwit_vm_memory_bytes", "gauge", "Memory that the guest sees.", machine.Spec.MemoryBytes);
            if (usage.FindReading(machine.Spec.Id) is not { Total: var total })
            {
                continue;
            }

            yield return Sample("godwit_vm_cpu_seconds_total", "counter", "CPU time of the guest's processes.", total.CpuTime.TotalSeconds);
            yield return Sample("godwit_vm_resident_bytes", "gauge", "Resident memory of the guest's processes.", total.ResidentBytes);
            yield return Sample("godwit_vm_disk_read_bytes_total", "counter", "Bytes that the guest read from its disks.", total.DiskReadBytes);
            yield return Sample("godwit_vm_disk_written_bytes_total", "counter", "Bytes that the guest wrote to its disks.", total.DiskWrittenBytes);
            if (network.ReadTraffic(machine.Spec.Id) is { } traffic)
            {
                yield return Sample("godwit_vm_network_sent_bytes_total", "counter", "Bytes that the guest sent.", traffic.SentBytes);
                yield return Sample("godwit_vm_network_received_bytes_total", "counter", "Bytes that the guest received.", traffic.ReceivedBytes);
            }
        }
    }
}
