using System.Net;
using Godwit.BenchLab;

namespace Godwit.HandoverBench;

/// <summary>One guest in a lab of two nodes.</summary>
internal sealed class Lab : IAsyncDisposable
{
    private const string Vm = "guest";
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(5);

    private readonly GodwitLab lab;

    private Lab(GodwitLab lab)
    {
        this.lab = lab;
        Places = [new("node-1", lab.NamespaceOf("node-1")), new("node-2", lab.NamespaceOf("node-2")), new("third place", null)];
    }

    /// <summary>Each node, which the guest comes to and leaves, and the host of the server, which is a third place of the guests' network.</summary>
    public IReadOnlyList<Place> Places { get; }

    public static async Task<Lab> StartAsync(string program, string images, string link, CancellationToken stopping) =>
        new(await GodwitLab.StartAsync(program, "hobench", images, link, stopping));

    public async Task<IPAddress> StartGuestAsync(string writer, CancellationToken stopping)
    {
        await lab.CommandAsync(["vm", "create", Vm, "--memory", "256Mi", "--kernel-args", writer, "--wait"], stopping);
        var address = IPAddress.Parse((string)(await lab.GuestAsync(Vm, stopping))["status"]!["interfaces"]![0]!["ipAddress"]!);
        await UntilItAnswersAsync(address, stopping);
        return address;
    }

    /// <summary>It runs before its own programs do.</summary>
    private static async Task UntilItAnswersAsync(IPAddress guest, CancellationToken stopping)
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(2) };
        using var look = new PeriodicTimer(TimeSpan.FromMilliseconds(200));
        for (var began = TimeProvider.System.GetTimestamp(); TimeProvider.System.GetElapsedTime(began) < Bound; await look.WaitForNextTickAsync(stopping))
        {
            try
            {
                await http.GetStringAsync(new Uri($"http://{guest}/counter"), stopping);
                return;
            }
            catch (Exception error) when (error is HttpRequestException || (error is TaskCanceledException && !stopping.IsCancellationRequested))
            {
                // Not yet.
            }
        }

        throw new TimeoutException($"The guest does not answer on {guest}.");
    }

    /// <summary>To the other node; for how long no CPU of the guest ran, in milliseconds.</summary>
    public async Task<double> MoveAsync(CancellationToken stopping) =>
        (double)(await lab.JsonAsync(["migrate", Vm], stopping))["status"]!["measurement"]!["pausedMs"]!;

    public ValueTask DisposeAsync() => lab.DisposeAsync();
}
