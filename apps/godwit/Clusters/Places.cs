using System.Text.RegularExpressions;
using Godwit.Cli;

namespace Godwit.App.Clusters;

/// <summary>
/// Where one instance of Godwit keeps its things on this host. Instances share nothing but the images, so that tests and a
/// person's lab can stand side by side.
/// </summary>
internal sealed partial record Places
{
    public const string DefaultInstance = "godwit";
    public const string DefaultDataFolder = "/var/lib/godwit";
    public const string DefaultRunFolder = "/run/godwit";

    private Places(string instance, string dataFolder, string runFolder, string imagesFolder)
    {
        Instance = instance;
        DataFolder = dataFolder;
        RunFolder = runFolder;
        ImagesFolder = imagesFolder;
    }

    /// <summary>Prefix of every namespace, bridge and cgroup of this instance; at most 8 lower-case letters and digits, for interface names are short.</summary>
    public string Instance { get; }

    public string DataFolder { get; }

    public string RunFolder { get; }

    public string ImagesFolder { get; }

    /// <summary>The cgroup above those of all guests of this instance; each agent's are in one of its own below.</summary>
    public string ControlGroup => $"godwit-{Instance}";

    /// <summary>What this host's own links to the guests' network begin with; nodes in namespaces of their own need no difference.</summary>
    public string LinkPrefix => Instance == DefaultInstance ? "gw" : "g" + ShortHash(Instance);

    /// <summary>What <c>up</c> started; its absence means that nothing is up.</summary>
    public string RecordPath => Path.Combine(RunFolder, "cluster.json");

    /// <summary>Where the Docker API listens.</summary>
    public string DockerSocketPath => Path.Combine(RunFolder, "docker.sock");

    /// <summary>The container engine's.</summary>
    public string EngineFolder => Path.Combine(DataFolder, "engine");

    public string ServerFolder => Path.Combine(DataFolder, "server");

    public string BootstrapTokenPath => Path.Combine(ServerFolder, "pki", "bootstrap-token");

    public string AuthorityPath => Path.Combine(ServerFolder, "pki", "ca.crt");

    public string KubeconfigPath => Path.Combine(DataFolder, "admin.kubeconfig");

    public string AgentsFolder => Path.Combine(DataFolder, "agents");

    public string AgentFolder(string nodeName) => Path.Combine(AgentsFolder, nodeName);

    /// <summary>All folders in which state is kept; images are not state.</summary>
    public IReadOnlyList<string> StateFolders => [ServerFolder, AgentsFolder, EngineFolder, LogsFolder];

    public string LogsFolder => Path.Combine(DataFolder, "logs");

    public string LogPath(string processName) => Path.Combine(LogsFolder, processName + ".log");

    /// <exception cref="CliException">The instance's name cannot be one.</exception>
    public static Places For(string? instance, string? dataFolder, string? imagesFolder)
    {
        var name = instance ?? DefaultInstance;
        if (!InstanceName().IsMatch(name))
        {
            throw new CliException($"'{name}' cannot name an instance: use 1 to 8 lower-case letters and digits, a letter first.", ExitCodes.Usage);
        }

        var isDefault = name == DefaultInstance;
        return new Places(
            name,
            Path.GetFullPath(dataFolder ?? (isDefault ? DefaultDataFolder : $"{DefaultDataFolder}-{name}")),
            isDefault ? DefaultRunFolder : $"{DefaultRunFolder}-{name}",
            Path.GetFullPath(imagesFolder ?? Environment.GetEnvironmentVariable("GODWIT_IMAGES") ?? $"{DefaultDataFolder}/images"));
    }

    // Interface names have room for four letters of ours: three of a hash (FNV-1a) keep instances apart.
    private static string ShortHash(string text)
    {
        const string Digits = "0123456789abcdefghijklmnopqrstuvwxyz";
        var hash = text.Aggregate(2166136261u, (seed, letter) => (seed ^ letter) * 16777619u);
        return string.Concat(Enumerable.Range(0, 3).Select(position => Digits[(int)(hash / (uint)Math.Pow(Digits.Length, position) % (uint)Digits.Length)]));
    }

    public static bool IsName(string? instance) => instance is not null && InstanceName().IsMatch(instance);

    [GeneratedRegex("^[a-z][a-z0-9]{0,7}$", RegexOptions.None, 1000)]
    private static partial Regex InstanceName();
}
