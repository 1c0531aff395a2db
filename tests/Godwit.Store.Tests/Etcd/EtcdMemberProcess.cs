using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Godwit.Store.Tests.Etcd;

/// <summary>One member of a real etcd on loopback, with its data in a folder of the test's. It can be killed and started again.</summary>
internal sealed class EtcdMemberProcess(string name, string folder, int clientPort, int peerPort, string cluster) : IAsyncDisposable
{
    private const string Program = "/usr/bin/etcd";

    private Process? process;
    private Task<string>? errors;

    public int ClientPort => clientPort;

    /// <summary>Flags beyond the usual ones.</summary>
    public IReadOnlyList<string> MoreFlags { get; init; } = [];

    /// <summary>http, or https when <see cref="MoreFlags"/> say so.</summary>
    public string ClientScheme { get; init; } = "http";

    /// <summary>A member that is a cluster of its own, quick to elect itself. Skips the test where there is no etcd.</summary>
    public static EtcdMemberProcess Alone(string folder, string clientScheme = "http", params string[] moreFlags)
    {
        Assert.SkipUnless(File.Exists(Program), "etcd is not installed (package etcd-server)");
        var ports = FreePorts(2);
        return new EtcdMemberProcess("alone", Path.Combine(folder, "etcd"), ports[0], ports[1], $"alone=http://127.0.0.1:{ports[1]}") { ClientScheme = clientScheme, MoreFlags = moreFlags };
    }

    /// <summary>Members of one cluster.</summary>
    public static IReadOnlyList<EtcdMemberProcess> Cluster(string folder, int count)
    {
        Assert.SkipUnless(File.Exists(Program), "etcd is not installed (package etcd-server)");
        var ports = FreePorts(2 * count);
        var cluster = string.Join(',', Enumerable.Range(0, count).Select(i => $"m{i}=http://127.0.0.1:{ports[(2 * i) + 1]}"));
        return [.. Enumerable.Range(0, count).Select(i => new EtcdMemberProcess($"m{i}", Path.Combine(folder, $"m{i}"), ports[2 * i], ports[(2 * i) + 1], cluster))];
    }

    public void Start()
    {
        var client = $"{ClientScheme}://127.0.0.1:{clientPort}";
        var isAlone = !cluster.Contains(',', StringComparison.Ordinal);
        var peer = $"http://127.0.0.1:{peerPort}";
        var start = new ProcessStartInfo(Program) { RedirectStandardError = true, RedirectStandardOutput = true };
        foreach (var argument in (IEnumerable<string>)
        [
            "--name", name, "--data-dir", folder, "--listen-client-urls", client, "--advertise-client-urls", client,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", cluster,
            "--heartbeat-interval", isAlone ? "10" : "50", "--election-timeout", isAlone ? "100" : "500", "--logger", "zap", "--log-level", "error", .. MoreFlags,
        ])
        {
            start.ArgumentList.Add(argument);
        }

        process = Process.Start(start)!;
        errors = process.StandardError.ReadToEndAsync();
        _ = process.StandardOutput.ReadToEndAsync();
    }

    /// <summary>As kill -9 does.</summary>
    public async Task KillAsync()
    {
        if (process is { } running)
        {
            process = null;
            var early = running.HasExited;
            running.Kill();
            await running.WaitForExitAsync();
            Assert.False(early, $"etcd {name} had ended by itself: {await errors!}");
            running.Dispose();
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (process is { } running)
        {
            running.Kill();
            await running.WaitForExitAsync();
            running.Dispose();
        }
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{clientPort}");

    /// <summary>Ports that nobody listens on. All are held until the last is found, so they differ.</summary>
    private static int[] FreePorts(int count)
    {
        var held = Enumerable.Range(0, count).Select(_ =>
        {
            var listener = new TcpListener(IPAddress.Loopback, 0);
            listener.Start();
            return listener;
        }).ToList();
        var ports = held.Select(listener => ((IPEndPoint)listener.LocalEndpoint).Port).ToArray();
        held.ForEach(listener => listener.Dispose());
        return ports;
    }
}
