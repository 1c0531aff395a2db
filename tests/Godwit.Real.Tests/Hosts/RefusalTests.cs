using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Godwit.Real.Tests.Labs;

namespace Godwit.Real.Tests.Hosts;

/// <summary>What cannot start says so at once, says what to do, and leaves nothing half done.</summary>
[Trait("Needs", "root")]
public sealed class RefusalTests : IDisposable
{
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(1);
    private readonly string folder = Directory.CreateTempSubdirectory($"godwit-refusal-{Environment.ProcessId}-").FullName;

    private string DataFolder => Path.Combine(folder, "data");

    private static string Instance { get; } = Apart.Instance('r');

    [Theory]
    [InlineData("up --foreground --port PORT", "godwit up cannot listen on", "--port")]
    [InlineData("up --port PORT", "godwit up cannot listen on", "--port")]
    [InlineData("up --lab 2 --port PORT", "godwit up cannot listen on", "--port")]
    [InlineData("server --listen 127.0.0.1:PORT", "godwit server cannot listen on", "--listen")]
    [InlineData("server --listen PORT", "godwit server cannot listen on", "--listen")]
    [InlineData("agent --server https://127.0.0.1:1 --ca-file /dev/null --underlay-address 127.0.0.1 --listen PORT", "godwit agent cannot listen on", "--listen")]
    [InlineData("agent --server https://127.0.0.1:1 --ca-file /dev/null --underlay-address 127.0.0.1 --listen 127.0.0.1:FREE --peer-listen 127.0.0.1:PORT", "godwit agent cannot listen on", "--peer-listen")]
    public async Task A_port_in_use_is_named_with_who_wanted_it_and_what_changes_it(string line, string who, string flag)
    {
        Needs.Root();
        using var other = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        other.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        other.Listen();
        var port = ((IPEndPoint)other.LocalEndPoint!).Port.ToString(CultureInfo.InvariantCulture);
        var arguments = line.Replace("PORT", port, StringComparison.Ordinal).Replace("FREE", Ports.Free().ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal).Split(' ');

        var result = await Command.RunAsync(GodwitLab.Program, [.. arguments, "--data", DataFolder, "--instance", Instance], Bound);

        Assert.Equal(1, result.ExitCode);
        Assert.Contains(who, result.Errors, StringComparison.Ordinal);
        Assert.Contains($"another process listens on port {port}", result.Errors, StringComparison.Ordinal);
        Assert.Contains(flag, result.Errors, StringComparison.Ordinal);
        Assert.False(Directory.Exists(DataFolder), "It began before it knew that it could.");
        Assert.False(Directory.Exists($"/run/godwit-{Instance}"), "Something is recorded as up.");
    }

    [Theory]
    [InlineData("up", "godwit up needs root")]
    [InlineData("up --lab 2", "godwit up needs root")]
    [InlineData("down", "godwit down needs root")]
    [InlineData("agent --server https://127.0.0.1:1 --ca-file /dev/null --underlay-address 127.0.0.1", "godwit agent needs root")]
    [InlineData("server --underlay-address 127.0.0.1", "godwit server --underlay-address needs root")]
    public async Task Without_root_it_says_what_to_do(string line, string words)
    {
        var result = await AsNobodyAsync([.. line.Split(' '), "--data", DataFolder]);

        Assert.Equal(1, result.ExitCode);
        Assert.Contains(words, result.Errors, StringComparison.Ordinal);
        Assert.Contains("sudo", result.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", result.Errors, StringComparison.Ordinal);
        Assert.False(Directory.Exists(DataFolder));
    }

    [Fact]
    public async Task A_server_that_may_not_write_its_folder_says_which_and_how_to_choose_another()
    {
        var result = await AsNobodyAsync(["server", "--listen", $"127.0.0.1:{Ports.Free()}", "--data", "/proc/godwit"]);

        Assert.Equal(1, result.ExitCode);
        Assert.Contains("/proc/godwit", result.Errors, StringComparison.Ordinal);
        Assert.Contains("--data", result.Errors, StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    /// <summary>Runs a copy of the program where anybody may read it.</summary>
    private async Task<CommandResult> AsNobodyAsync(IReadOnlyList<string> arguments)
    {
        Needs.Root();
        const UnixFileMode Public = (UnixFileMode)0b111_101_101;
        File.SetUnixFileMode(folder, Public);
        var place = Directory.CreateDirectory(Path.Combine(folder, "program"), Public).FullName;
        foreach (var file in Directory.EnumerateFiles(Path.GetDirectoryName(GodwitLab.Program)!))
        {
            File.Copy(file, Path.Combine(place, Path.GetFileName(file)));
        }

        const string Nobody = "65534";
        return await Command.RunAsync("setpriv", ["--reuid", Nobody, "--regid", Nobody, "--clear-groups", Path.Combine(place, "godwit"), .. arguments, "--instance", Instance], Bound);
    }
}
