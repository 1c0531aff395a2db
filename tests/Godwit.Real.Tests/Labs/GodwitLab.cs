using System.Text.Json.Nodes;
using Godwit.Real.Tests.Hosts;

namespace Godwit.Real.Tests.Labs;

/// <summary>
/// A real lab on this machine, made by the real program: a server and two agents, each in a network namespace of its own, and
/// kubectl against it. One for all tests of a collection; each test makes guests of its own names, that no other collection's have.
/// </summary>
public sealed partial class GodwitLab : IAsyncLifetime
{
    private static readonly TimeSpan StartBound = TimeSpan.FromMinutes(3);
    private readonly string folder;

    public GodwitLab()
    {
        Instance = Apart.Instance('t');
        folder = Path.Combine(Path.GetTempPath(), $"godwit-{Instance}"); // Short: below it are sockets, whose paths have 107 bytes.
    }

    /// <summary>Unique to this test process and collection, so that it never meets another lab, nor a person's own.</summary>
    internal string Instance { get; }

    internal string DataFolder => Path.Combine(folder, "data");

    internal string KubeconfigPath => Path.Combine(folder, "kubeconfig");

    internal static string Program { get; } = FindProgram();

    internal static string ImagesFolder => Environment.GetEnvironmentVariable("GODWIT_IMAGES") ?? "/var/lib/godwit/images";

    public async ValueTask InitializeAsync()
    {
        Needs.Root();
        Directory.CreateDirectory(folder);
        MakeImages();
        await BringUpAsync();
        await File.WriteAllTextAsync(KubeconfigPath, (await GodwitAsync(StartBound, "kubeconfig")).MustSucceed().Output);
        TellsOfItsLabAttribute.Register(this);
    }

    public async ValueTask DisposeAsync()
    {
        cluster?.Dispose();
        if (Directory.Exists(DataFolder))
        {
            (await GodwitAsync(StartBound, "down", "--data", DataFolder)).MustSucceed();
            Assert.Empty((await Traces.FindAsync(Instance, DataFolder, Instance)).All);
        }

        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>The real program, in this lab's instance.</summary>
    internal Task<CommandResult> GodwitAsync(TimeSpan bound, params IEnumerable<string> arguments) =>
        Command.RunAsync(Program, [.. arguments, "--instance", Instance], bound);

    /// <summary>The same with something to read.</summary>
    internal Task<CommandResult> GodwitAsync(TimeSpan bound, IReadOnlyList<string> arguments, string input) =>
        Command.RunAsync(Program, [.. arguments, "--instance", Instance], bound, input);

    internal Task<CommandResult> GodwitAsync(params IEnumerable<string> arguments) => GodwitAsync(TimeSpan.FromMinutes(2), arguments);

    internal async Task<CommandResult> KubectlAsync(string? input, params IEnumerable<string> arguments) =>
        await Command.RunAsync("kubectl", ["--kubeconfig", KubeconfigPath, .. arguments], TimeSpan.FromMinutes(2), input);

    /// <summary>An object as the server has it, or null.</summary>
    internal async Task<JsonObject?> FindAsync(string resource, string name)
    {
        var result = await KubectlAsync(null, "get", resource, name, "-o", "json", "--ignore-not-found");
        return result.MustSucceed().Output.Trim() is { Length: > 0 } text ? JsonNode.Parse(text)!.AsObject() : null;
    }

    /// <summary>The guest's image, and that of the pods.</summary>
    private string OwnImagesFolder => Path.Combine(folder, "images");

    private void MakeImages()
    {
        var tiny = Directory.CreateDirectory(Path.Combine(OwnImagesFolder, "tiny")).FullName;
        foreach (var file in Directory.EnumerateFiles(Path.Combine(ImagesFolder, "tiny")))
        {
            File.Copy(file, Path.Combine(tiny, Path.GetFileName(file)));
        }

        BoxImage.WriteTo(OwnImagesFolder);
    }

    private static string FindProgram()
    {
        var root = AppContext.BaseDirectory;
        while (root is not null && !File.Exists(Path.Combine(root, "Godwit.slnx")))
        {
            root = Path.GetDirectoryName(root);
        }

        return Environment.GetEnvironmentVariable("GODWIT_PROGRAM") ?? Path.Combine(root ?? "/", "bin", "godwit");
    }
}

/// <summary>What a test cannot do without. Missing needs skip the test aloud, with the reason and the cure.</summary>
internal static class Needs
{
    public static void Root()
    {
        Assert.SkipUnless(Environment.UserName == "root", "needs root (namespaces, taps): run ./test as root");
        Assert.SkipUnless(File.Exists(GodwitLab.Program), $"needs the program {GodwitLab.Program}: run eng/publish.sh");
        Assert.SkipUnless(File.Exists(Path.Combine(GodwitLab.ImagesFolder, "tiny", "image.json")), $"needs the guest image {GodwitLab.ImagesFolder}/tiny: run guests/build.sh tiny");
        Assert.SkipUnless(File.Exists("/usr/bin/qemu-system-x86_64"), "needs QEMU: run eng/setup.sh");
    }
}

/// <summary>What a lab is for; its parts are whole.</summary>
[CollectionDefinition(Name)]
public sealed class LabCollection : ICollectionFixture<GodwitLab>
{
    public const string Name = "lab";
}

/// <summary>
/// A lab whose parts are killed, stopped and cut off. The guests wait for watchdogs there more than they run, so these tests go on beside those of the other lab.
/// </summary>
[CollectionDefinition(Name)]
public sealed class FaultLabCollection : ICollectionFixture<GodwitLab>
{
    public const string Name = "lab of faults";
}
