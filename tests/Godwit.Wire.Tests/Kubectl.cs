using System.Diagnostics;
using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using Godwit.Api.Kinds;
using Godwit.Api.Machinery;
using Godwit.ApiServer;
using Godwit.Store;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.Wire.Tests;

/// <summary>The real kubectl, as a process, against a server in this one. Each has its own server, home folder and caches.</summary>
public sealed partial class Kubectl : IAsyncDisposable
{
    private static readonly TimeSpan CommandTimeout = TimeSpan.FromSeconds(60);
    private readonly string folder;
    private readonly ApiServerHost host;
    private readonly MemoryRevisionStore store;

    private readonly string program;

    private Kubectl(string program, string folder, ApiServerHost host, MemoryRevisionStore store)
    {
        this.program = program;
        this.folder = folder;
        this.host = host;
        this.store = store;
    }

    /// <summary>The client's minor version.</summary>
    public int Minor { get; private init; }

    /// <summary>Starts a server of the built-in kinds; skips the test aloud where there is no kubectl of that version.</summary>
    public static async Task<Kubectl> StartAsync(string version)
    {
        var found = KubectlPrograms.Find(version);
        Assert.SkipWhen(found is null, $"there is no kubectl {version} in {string.Join(", ", KubectlPrograms.Places)}; eng/setup.sh test fetches Debian's");
        var data = Directory.CreateTempSubdirectory($"godwit-wire-{Environment.ProcessId}-").FullName;
        var memory = new MemoryRevisionStore();
        var server = await ApiServerHost.StartAsync(
            new ApiServerOptions
            {
                DataFolder = data,
                Store = memory,
                Registry = new ResourceRegistry([.. BuiltInKinds.All, ScalableKind.Definition]),
                Listen = [new IPEndPoint(IPAddress.Loopback, 0)],
                Loggers = NullLoggerFactory.Instance,
            },
            TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(Path.Combine(data, "kubeconfig"), server.AdminKubeconfig, TestContext.Current.CancellationToken);
        return new Kubectl(found!, data, server, memory) { Minor = int.Parse(version.Split('.')[1], System.Globalization.CultureInfo.InvariantCulture) };
    }

    /// <summary>Runs a command that must succeed; its output, with times and other things that change replaced.</summary>
    public async Task<string> RunAsync(string arguments, string input = "")
    {
        var (code, output, error) = await TryAsync(arguments, input);
        Assert.True(code == 0, $"kubectl {arguments}\n{output}{error}");
        return Stable(output + error);
    }

    /// <summary>Runs a command that must fail; what it said.</summary>
    public async Task<string> FailAsync(string arguments, string input = "")
    {
        var (code, output, error) = await TryAsync(arguments, input);
        Assert.True(code != 0, $"kubectl {arguments}\n{output}{error}");
        return Stable(output + error);
    }

    public async Task<(int Code, string Output, string Error)> TryAsync(string arguments, string input = "")
    {
        using var process = Start(arguments);
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        timeout.CancelAfter(CommandTimeout);
        var (output, error) = (process.StandardOutput.ReadToEndAsync(timeout.Token), process.StandardError.ReadToEndAsync(timeout.Token));
        try
        {
            await process.StandardInput.WriteAsync(input.AsMemory(), timeout.Token);
            process.StandardInput.Close();
            await process.WaitForExitAsync(timeout.Token);
        }
        catch
        {
            process.Kill();
            throw;
        }

        return (process.ExitCode, await output, await error);
    }

    /// <summary>Writes an object's status, which kubectl can only do since 1.24.</summary>
    public Task SetStatusAsync(string path, string kind, string apiVersion, string status) => RunAsync(
        $"replace --raw {path}/status -f -", $$"""{"apiVersion":"{{apiVersion}}","kind":"{{kind}}","metadata":{},"status":{{status}}}""");

    /// <summary>Writes a kubeconfig of whoever bears a token; its path.</summary>
    public async Task<string> TokenConfigAsync(string token)
    {
        var path = Path.Combine(folder, $"token-{Guid.NewGuid():N}");
        var config = $$"""
            {"apiVersion":"v1","kind":"Config","current-context":"c","contexts":[{"name":"c","context":{"cluster":"c","user":"u"} }],
             "clusters":[{"name":"c","cluster":{"server":"{{host.Url}}","certificate-authority":"{{host.AuthorityPath}}"} }],"users":[{"name":"u","user":{"token":"{{token}}"} }]}
            """;
        await File.WriteAllTextAsync(path, config, TestContext.Current.CancellationToken);
        return path;
    }

    /// <summary>Starts a command that runs until it is killed, such as a watch.</summary>
    public Process Start(string arguments)
    {
        var start = new ProcessStartInfo(program)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
        };
        foreach (var argument in Arguments().Matches(arguments).Select(match => match.Value))
        {
            start.ArgumentList.Add(argument.Replace("'", "", StringComparison.Ordinal));
        }

        start.Environment.Clear();
        start.Environment["PATH"] = "/usr/bin:/bin";
        start.Environment["HOME"] = folder;
        start.Environment["KUBECONFIG"] = Path.Combine(folder, "kubeconfig");
        start.Environment["EDITOR"] = "sed -i s/first/second/";
        return Process.Start(start)!;
    }

    public async ValueTask DisposeAsync()
    {
        await host.DisposeAsync();
        await store.DisposeAsync();
        Directory.Delete(folder, recursive: true);
    }

    private static string Stable(string output)
    {
        output = Ages().Replace(output, "AGE");
        output = Times().Replace(output, "TIME");
        output = Uids().Replace(output, "UID");
        output = Versions().Replace(output, "VERSION");
        return string.Join('\n', output.Split('\n').Select(line => line.TrimEnd()));
    }

    [GeneratedRegex("""'[^']*'(?:[^\s']*)|[^\s']+(?:'[^']*')?[^\s']*""", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Arguments();

    [GeneratedRegex(@"(?<= )\d+(ms|s|m)(?=\s)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Ages();

    [GeneratedRegex(@"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Times();

    [GeneratedRegex("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Uids();

    [GeneratedRegex("""(?<=resourceVersion"?: ")\d+""", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Versions();
}
