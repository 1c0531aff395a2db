using System.Text.Json.Nodes;
using Godwit.Real.Tests.Labs;

namespace Godwit.Real.Tests.Hosts;

/// <summary>A cluster on this host alone (<c>godwit up</c> without a lab), of an instance and with folders that are the test's own.</summary>
internal sealed class HostCluster : IAsyncDisposable
{
    public static readonly TimeSpan Bound = TimeSpan.FromMinutes(3);
    private readonly string folder;
    private string imagesFolder = GodwitLab.ImagesFolder;

    public HostCluster()
    {
        Instance = Apart.Instance('h');
        folder = Path.Combine(Path.GetTempPath(), $"godwit-{Instance}");
        Directory.CreateDirectory(folder);
    }

    public string Instance { get; }

    public string DataFolder => Path.Combine(folder, "data");

    public string RunFolder => $"/run/godwit-{Instance}";

    public string KubeconfigPath => Path.Combine(folder, "kubeconfig");

    /// <summary>The root of the source tree: where the examples are.</summary>
    public static string Tree
    {
        get
        {
            var root = AppContext.BaseDirectory;
            while (!File.Exists(Path.Combine(root, "Godwit.slnx")))
            {
                root = Path.GetDirectoryName(root) ?? throw new InvalidOperationException("The tests do not run inside the source tree.");
            }

            return root;
        }
    }

    public Task<CommandResult> GodwitAsync(params IEnumerable<string> arguments) => Command.RunAsync(GodwitLab.Program, [.. arguments, "--instance", Instance], Bound);

    public Task<CommandResult> GodwitWithInputAsync(string input, params IEnumerable<string> arguments) =>
        Command.RunAsync(GodwitLab.Program, [.. arguments, "--instance", Instance], Bound, input);

    /// <summary>
    /// kubectl 1.32 may begin to read before it has made the streams of an <c>exec</c>, and then drops what a program said that has ended by then. It says so
    /// itself, and only then is it asked again.
    /// </summary>
    public async Task<CommandResult> KubectlAsync(params IEnumerable<string> arguments)
    {
        const int attemptsMax = 5;
        for (var attempt = 1; ; attempt++)
        {
            var result = await Command.RunAsync("kubectl", ["--kubeconfig", KubeconfigPath, .. arguments], Bound);
            if (attempt == attemptsMax || !result.Errors.Contains("Unknown stream id", StringComparison.Ordinal))
            {
                return result;
            }
        }
    }

    public Task<CommandResult> KubectlWithInputAsync(string input, params IEnumerable<string> arguments) =>
        Command.RunAsync("kubectl", ["--kubeconfig", KubeconfigPath, .. arguments], Bound, input);

    /// <summary>A folder of images of the test's own, with those that are ready-made in it.</summary>
    public string MakeImages()
    {
        imagesFolder = Directory.CreateDirectory(Path.Combine(folder, "images")).FullName;
        foreach (var file in Directory.EnumerateFiles(Path.Combine(GodwitLab.ImagesFolder, "tiny")))
        {
            Directory.CreateDirectory(Path.Combine(imagesFolder, "tiny"));
            File.Copy(file, Path.Combine(imagesFolder, "tiny", Path.GetFileName(file)));
        }

        return imagesFolder;
    }

    /// <summary>What the cluster says of a guest that cannot start: the messages of its conditions and its events.</summary>
    public Task<string> WaitForWordsAsync(string guest) => Eventually.GetAsync($"it is said why {guest} does not run", Bound, async () =>
    {
        var conditions = await KubectlAsync("get", "vmi", guest, "--ignore-not-found", "-o", "jsonpath={.status.conditions[?(@.status=='False')].message}");
        var events = await KubectlAsync("get", "events", "--field-selector", $"involvedObject.name={guest},type=Warning", "-o", "jsonpath={.items[*].message}");
        var words = (conditions.MustSucceed().Output + events.MustSucceed().Output).Trim();
        return words.Length > 0 ? words : null;
    });

    public async Task UpAsync(params IEnumerable<string> arguments)
    {
        (await GodwitAsync(["up", "--data", DataFolder, "--images", imagesFolder, .. arguments])).MustSucceed();
        await File.WriteAllTextAsync(KubeconfigPath, (await GodwitAsync("kubeconfig")).MustSucceed().Output, TestContext.Current.CancellationToken);
    }

    /// <summary>The address of a guest that runs.</summary>
    public Task<string> WaitForGuestAsync(string name) => Eventually.GetAsync($"VMI {name} runs and has an address", Bound, async () =>
    {
        var found = (await KubectlAsync("get", "vmi", name, "-o", "json", "--ignore-not-found")).MustSucceed().Output.Trim();
        var status = found.Length > 0 ? JsonNode.Parse(found)!["status"] : null;
        return status?["phase"]?.GetValue<string>() == "Running" ? status["interfaces"]?[0]?["ipAddress"]?.GetValue<string>() : null;
    });

    public async ValueTask DisposeAsync()
    {
        await GodwitAsync("down", "--purge", "--data", DataFolder);
        Directory.Delete(folder, recursive: true);
    }
}
