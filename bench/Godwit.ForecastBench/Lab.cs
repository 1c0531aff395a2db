using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Godwit.Linux.Commands;

namespace Godwit.ForecastBench;

/// <summary>Two nodes and the <c>godwit</c> command, as a user has them.</summary>
internal sealed class Lab : IAsyncDisposable
{
    private const string Instance = "fcbench";
    private const string Vm = "guest";

    /// <summary>Until the guest's writer has filled what it fills once.</summary>
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(8);

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(5);

    private readonly string program;
    private readonly string link;

    /// <summary>Short, for unix sockets lie below it, and open to guests' users on the way to their own folders.</summary>
    private readonly string folder = Directory.CreateDirectory(
        $"/tmp/{Instance}-{Environment.ProcessId}",
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute).FullName;

    private Lab(string program, string link)
    {
        this.program = program;
        this.link = link;
    }

    public static async Task<Lab> StartAsync(string program, string images, string link, CancellationToken stopping)
    {
        var lab = new Lab(program, link);
        await lab.CommandAsync(["up", "--lab", "2", "--link-rate", link, "--data", lab.folder, "--images", images], stopping);
        return lab;
    }

    /// <summary>Moves a new guest so many times, each time with both models asked before.</summary>
    public async IAsyncEnumerable<JudgedMove> MoveAsync(Guest guest, int count, [EnumeratorCancellation] CancellationToken stopping)
    {
        await CommandAsync(["vm", "create", Vm, "--memory", $"{guest.MemoryMiB}Mi", "--kernel-args", guest.Writer, "--wait"], stopping);
        await Task.Delay(Settling, TimeProvider.System, stopping);
        for (var turn = 0; turn < count; turn++)
        {
            var predicted = await JsonAsync(["predict", Vm], stopping);
            var moved = await JsonAsync(["migrate", Vm], stopping);
            yield return JudgedMove.From(guest.Name, link, turn, predicted, moved);
            await Task.Delay(Pause, TimeProvider.System, stopping);
        }

        await CommandAsync(["vm", "delete", Vm], stopping);
    }

    public async ValueTask DisposeAsync()
    {
        await CommandAsync(["down", "--data", folder], CancellationToken.None);
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private Task<string> CommandAsync(IReadOnlyList<string> arguments, CancellationToken stopping) =>
        new Command(program, [.. arguments, "--instance", Instance]) { Bound = Bound }.RunAsync(TimeProvider.System, stopping);

    private async Task<JsonNode> JsonAsync(IReadOnlyList<string> arguments, CancellationToken stopping) =>
        JsonNode.Parse(await CommandAsync([.. arguments, "-o", "json"], stopping))!;
}
