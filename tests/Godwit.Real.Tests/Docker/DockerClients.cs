using System.Diagnostics;
using Godwit.Real.Tests.Containers;

namespace Godwit.Real.Tests.Docker;

/// <summary>The clients of the Docker API that this host has: what is installed, and what <c>eng/setup.sh test</c> unpacked beside it.</summary>
internal static class DockerClients
{
    public const string Need = "needs the docker command: install the package docker-cli, or run eng/setup.sh test";

    private const string Unpacked = "/var/cache/godwit/docker";

    /// <summary>Debian 12's, 20.10; null where it is not.</summary>
    public static string? Oldest { get; } = Find($"{Unpacked}/bookworm/usr/bin/docker");

    /// <summary>Debian 11's, 20.10 of its first days; null where it is not.</summary>
    public static string? First { get; } = Find($"{Unpacked}/bullseye/usr/bin/docker");

    /// <summary>The one that Debian tests for its next release, 28.5 or younger; null where it is not.</summary>
    public static string? Next { get; } = Find($"{Unpacked}/forky/usr/bin/docker");

    /// <summary>Debian 13's, 26.1; null where it is not.</summary>
    public static string? Middle { get; } = Find($"{Unpacked}/trixie/usr/bin/docker");

    /// <summary>The installed one, or else the youngest of the others.</summary>
    public static string? Newest { get; } = OfPath("docker") ?? Middle ?? Oldest;

    /// <summary>Compose 2, in Go.</summary>
    public static string? Compose { get; } = Find($"{Unpacked}/trixie/usr/libexec/docker/cli-plugins/docker-compose");

    /// <summary>Compose 1.29, in Python.</summary>
    public static string? OldCompose { get; } = OfPath("docker-compose") is { } path && IsScript(path) ? path : null;

    /// <summary>The buildx plugin.</summary>
    public static string? Buildx { get; } = Find($"{Unpacked}/trixie/usr/libexec/docker/cli-plugins/docker-buildx");

    /// <summary>Starts one; whoever starts it ends it.</summary>
    /// <param name="version">Of the API, which it then speaks without asking for the engine's; null lets them agree on one.</param>
    public static Process Start(string program, string host, string configFolder, IEnumerable<string> arguments, string? version = null)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["DOCKER_HOST"] = host;
        start.Environment["DOCKER_CONFIG"] = configFolder;
        if (version is not null)
        {
            start.Environment["DOCKER_API_VERSION"] = version;
        }

        return Process.Start(start)!;
    }

    /// <summary>Runs one to its end.</summary>
    public static async Task<(int Code, string Output, string Error)> RunAsync(string program, string host, string configFolder, string input, IEnumerable<string> arguments, string? version = null)
    {
        var words = arguments.ToList();
        using var client = Start(program, host, configFolder, words, version);
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(EngineLab.Stopping);
        bound.CancelAfter(EngineLab.Bound);
        try
        {
            var output = client.StandardOutput.ReadToEndAsync(bound.Token);
            var error = client.StandardError.ReadToEndAsync(bound.Token);
            try
            {
                await client.StandardInput.WriteAsync(input.AsMemory(), bound.Token);
                client.StandardInput.Close();
            }
            catch (IOException)
            {
                // It ended without reading it.
            }

            await client.WaitForExitAsync(bound.Token);
            return (client.ExitCode, await output, await error);
        }
        catch (OperationCanceledException late)
        {
            client.Kill(entireProcessTree: true);
            throw new TimeoutException($"{program} {string.Join(' ', words)} did not end within {EngineLab.Bound}", late);
        }
    }

    private static string? Find(string path) => File.Exists(path) ? path : null;

    private static string? OfPath(string name) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(place => Path.Combine(place, name)).FirstOrDefault(File.Exists);

    private static bool IsScript(string path)
    {
        using var file = File.OpenRead(path);
        return file.ReadByte() == '#' && file.ReadByte() == '!';
    }
}
