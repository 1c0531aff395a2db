using System.Globalization;
using System.Net;
using Godwit.ServiceBench;

// Requests a second through a service's virtual address and a node port, beside the backend's own address and the host's loopback. Rounds of all
// rows take turns, and each number is the median of its rounds.
const int Rounds = 3;
var length = TimeSpan.FromSeconds(args.Contains("--small") ? 0.5 : 2);
await using var stage = await Stage.CreateAsync(CancellationToken.None);
Load.Serve(stage.Backend, new IPEndPoint(IPAddress.Any, Stage.Port));
Load.Serve(stage.Host, new IPEndPoint(IPAddress.Loopback, Stage.Port));
var rows = new (string Name, Godwit.Linux.Networking.NetworkNamespace From, IPEndPoint Target)[]
{
    ("the host's loopback", stage.Host, new IPEndPoint(IPAddress.Loopback, Stage.Port)),
    ("host to the pod's own address", stage.Host, new IPEndPoint(stage.BackendAddress, Stage.Port)),
    ("host to ClusterIP", stage.Host, new IPEndPoint(stage.ServiceAddress, Stage.Port)),
    ("host to NodePort", stage.Host, new IPEndPoint(stage.HostAddress, Stage.NodePort)),
    ("pod to the pod's own address", stage.Caller, new IPEndPoint(stage.BackendAddress, Stage.Port)),
    ("pod to ClusterIP", stage.Caller, new IPEndPoint(stage.ServiceAddress, Stage.Port)),
    ("pod to NodePort", stage.Caller, new IPEndPoint(stage.HostAddress, Stage.NodePort)),
};
var seen = rows.ToDictionary(row => row.Name, _ => (New: new List<double>(), Kept: new List<double>()), StringComparer.Ordinal);
for (var round = 0; round < Rounds; round++)
{
    foreach (var (name, from, target) in rows)
    {
        seen[name].New.Add(Load.Measure(from, target, isKept: false, length));
        seen[name].Kept.Add(Load.Measure(from, target, isKept: true, length));
    }
}

double Median(List<double> numbers) => numbers.Order().ElementAt(numbers.Count / 2);
var (loopback, one) = (seen[rows[0].Name], CultureInfo.InvariantCulture);
Console.WriteLine("| way | a connection each, /s | of loopback | kept connections, /s | of loopback |\n|---|---|---|---|---|");
foreach (var (name, _, _) in rows)
{
    var (fresh, kept) = (Median(seen[name].New), Median(seen[name].Kept));
    Console.WriteLine(string.Create(one, $"| {name} | {fresh:0} | {fresh / Median(loopback.New):0.00} | {kept:0} | {kept / Median(loopback.Kept):0.00} |"));
}
