using System.Net;
using System.Security.Cryptography;
using Godwit.Api.Kinds;
using Godwit.Api.Machinery;
using Godwit.ApiServer;
using Godwit.Store.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.ApiBench;

/// <summary>The API server as <c>godwit server</c> runs it: over SQLite, durable before it answers, with a token of system:masters.</summary>
internal static class BenchServer
{
    public static string ReadToken(string data) => File.ReadAllText(Path.Combine(data, "token"));

    public static async Task RunAsync(string data, int port, CancellationToken stopping)
    {
        var pki = Directory.CreateDirectory(Path.Combine(data, "pki"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute).FullName;
        var token = RandomNumberGenerator.GetHexString(32);
        await File.WriteAllTextAsync(Path.Combine(pki, "tokens.csv"), $"{token},bench,,\"system:masters\"\n", stopping);
        await File.WriteAllTextAsync(Path.Combine(data, "token"), token, stopping);
        await using var store = SqliteRevisionStore.Open(new SqliteStoreOptions(Path.Combine(data, "store.db")));
        await using var server = await ApiServerHost.StartAsync(
            new ApiServerOptions
            {
                DataFolder = data,
                Store = store,
                Registry = new ResourceRegistry(BuiltInKinds.All),
                Listen = [new IPEndPoint(IPAddress.Loopback, port)],
                Loggers = NullLoggerFactory.Instance,
            },
            stopping);
        await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }
}
