using System.Runtime.CompilerServices;
using Godwit.BenchLab;

namespace Godwit.ForecastBench;

/// <summary>Moves guests in a lab, each time with both models asked before.</summary>
internal sealed class Lab : IAsyncDisposable
{
    private const string Vm = "guest";

    /// <summary>Until the guest's writer has filled what it fills once.</summary>
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(8);

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(2);

    private readonly GodwitLab lab;
    private readonly string link;

    private Lab(GodwitLab lab, string link)
    {
        this.lab = lab;
        this.link = link;
    }

    public static async Task<Lab> StartAsync(string program, string images, string link, CancellationToken stopping) =>
        new(await GodwitLab.StartAsync(program, "fcbench", images, link, stopping), link);

    /// <summary>Moves a new guest so many times.</summary>
    public async IAsyncEnumerable<JudgedMove> MoveAsync(Guest guest, int count, [EnumeratorCancellation] CancellationToken stopping)
    {
        await CreateAsync(guest, stopping);
        await Task.Delay(Settling, TimeProvider.System, stopping);
        for (var turn = 0; turn < count; turn++)
        {
            var predicted = await lab.JsonAsync(["predict", Vm], stopping);
            var moved = await lab.JsonAsync(["migrate", Vm], stopping);
            yield return JudgedMove.From(guest.Name, link, turn, predicted, moved);
            await Task.Delay(Pause, TimeProvider.System, stopping);
        }

        await lab.CommandAsync(["vm", "delete", Vm], stopping);
    }

    /// <summary>By a manifest, because the command knows only the kernels of the images that Godwit ships.</summary>
    private async Task CreateAsync(Guest guest, CancellationToken stopping)
    {
        var manifest = await lab.JsonAsync(["vm", "create", Vm, "--image", "tiny", "--memory", $"{guest.MemoryMiB}Mi", "--kernel-args", guest.Writer, "--dry-run"], stopping);
        manifest["spec"]!["template"]!["spec"]!["domain"]!["firmware"]!["kernelBoot"]!["container"]!["image"] = guest.Image;
        var file = Path.Combine(lab.Folder, "guest.json");
        await File.WriteAllTextAsync(file, manifest.ToJsonString(), stopping);
        await lab.KubectlAsync(["apply", "-f", file], stopping);
        await lab.KubectlAsync(["wait", $"vm/{Vm}", "--for=jsonpath={.status.ready}=true", "--timeout=120s"], stopping);
    }

    public ValueTask DisposeAsync() => lab.DisposeAsync();
}
