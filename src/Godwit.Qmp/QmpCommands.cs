using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Godwit.Qmp;

/// <summary>The commands that Godwit speaks. Names and meanings are those of QEMU's QMP reference.</summary>
public static partial class QmpCommands
{
    public static QmpCommand<QmpStatus> QueryStatus { get; } = new("query-status", QmpJson.Default.QmpStatus);

    /// <summary>Lets the guest's CPUs run.</summary>
    public static QmpCommand<QmpNothing> Continue { get; } = Order("cont");

    public static QmpCommand<QmpNothing> Stop { get; } = Order("stop");

    /// <summary>Presses the guest's ACPI power button.</summary>
    public static QmpCommand<QmpNothing> SystemPowerdown { get; } = Order("system_powerdown");

    public static QmpCommand<QmpNothing> SystemReset { get; } = Order("system_reset");

    /// <summary>Ends QEMU at once, the guest unasked.</summary>
    public static QmpCommand<QmpNothing> Quit { get; } = Order("quit");

    public static QmpCommand<QmpVersion> QueryVersion { get; } = new("query-version", QmpJson.Default.QmpVersion);

    public static QmpCommand<IReadOnlyList<QmpMachineType>> QueryMachines { get; } = new("query-machines", QmpJson.Default.IReadOnlyListQmpMachineType);

    public static QmpCommand<IReadOnlyList<QmpCpuDefinition>> QueryCpuDefinitions { get; } = new("query-cpu-definitions", QmpJson.Default.IReadOnlyListQmpCpuDefinition);

    public static QmpCommand<IReadOnlyList<QmpCpu>> QueryCpus { get; } = new("query-cpus-fast", QmpJson.Default.IReadOnlyListQmpCpu);

    public static QmpCommand<IReadOnlyList<QmpBlockDevice>> QueryBlockStatistics { get; } = new("query-blockstats", QmpJson.Default.IReadOnlyListQmpBlockDevice);

    public static QmpCommand<QmpBalloon> QueryBalloon { get; } = new("query-balloon", QmpJson.Default.QmpBalloon);

    public static QmpCommand<QmpMigration> QueryMigrate { get; } = new("query-migrate", QmpJson.Default.QmpMigration);

    public static QmpCommand<QmpNothing> MigrateCancel { get; } = Order("migrate_cancel");

    public static QmpCommand<QmpNothing> MigrateStartPostcopy { get; } = Order("migrate-start-postcopy");

    /// <summary>Cuts a post-copy stream at its source so that it can be recovered. Out-of-band: the main loop may be stuck on that stream.</summary>
    public static QmpCommand<QmpNothing> MigratePause { get; } = Order("migrate-pause") with { OutOfBand = true };

    public static QmpCommand<IReadOnlyList<QmpYankInstance>> QueryYank { get; } =
        new("query-yank", QmpJson.Default.IReadOnlyListQmpYankInstance) { OutOfBand = true };

    /// <summary>Cuts the migration's sockets, so that whatever waits for them fails at once. Out-of-band by design.</summary>
    public static QmpCommand<QmpNothing> YankMigration { get; } =
        Order("yank", new QmpArguments.Yank([new("migration")]), QmpJson.Default.Yank) with { OutOfBand = true };

    public static QmpCommand<QmpDirtyRate> QueryDirtyRate { get; } = new("query-dirty-rate", QmpJson.Default.QmpDirtyRate);

    public static QmpCommand<QmpNothing> MigrateSetCapabilities(IEnumerable<KeyValuePair<string, bool>> capabilities) =>
        Order(
            "migrate-set-capabilities",
            new QmpArguments.MigrationCapabilities([.. capabilities.Select(each => new QmpArguments.MigrationCapability(each.Key, each.Value))]),
            QmpJson.Default.MigrationCapabilities);

    public static QmpCommand<QmpNothing> MigrateSetParameters(QmpMigrationParameters parameters) =>
        Order("migrate-set-parameters", parameters, QmpJson.Default.QmpMigrationParameters);

    /// <param name="uri"><c>unix:PATH</c> or <c>tcp:HOST:PORT</c> on which the target, or a relay, listens.</param>
    /// <param name="resume">Goes on with a post-copy stream that was paused.</param>
    public static QmpCommand<QmpNothing> Migrate(string uri, bool resume = false) =>
        Order("migrate", new QmpArguments.Migrate(uri, resume), QmpJson.Default.Migrate);

    /// <summary>Listens for an incoming guest. QEMU stays alive when the stream fails, to be asked why.</summary>
    public static QmpCommand<QmpNothing> MigrateIncoming(string uri) =>
        Order("migrate-incoming", new QmpArguments.MigrateIncoming(uri, ExitOnError: false), QmpJson.Default.MigrateIncoming);

    /// <summary>Leaves the barrier at which the migration waits.</summary>
    public static QmpCommand<QmpNothing> MigrateContinue(string state = "pre-switchover") =>
        Order("migrate-continue", new QmpArguments.MigrateContinue(state), QmpJson.Default.MigrateContinue);

    /// <summary>The target of a paused post-copy listens anew.</summary>
    public static QmpCommand<QmpNothing> MigrateRecover(string uri) =>
        Order("migrate-recover", new QmpArguments.MigrateRecover(uri), QmpJson.Default.MigrateRecover) with { OutOfBand = true };

    /// <summary>Announces the addresses of the guest's NICs: first after <paramref name="initialMs"/>, then with growing intervals.</summary>
    public static QmpCommand<QmpNothing> AnnounceSelf(int initialMs, int maxMs, int rounds, int stepMs) =>
        Order("announce-self", new QmpArguments.Announce(initialMs, maxMs, rounds, stepMs), QmpJson.Default.Announce);

    /// <summary>Starts to measure by page sampling for that long (50 ms to 60 s).</summary>
    public static QmpCommand<QmpNothing> CalculateDirtyRate(TimeSpan window) =>
        Order("calc-dirty-rate", new QmpArguments.CalculateDirtyRate((long)window.TotalMilliseconds, "millisecond", "page-sampling"), QmpJson.Default.CalculateDirtyRate);

    public static QmpCommand<QmpNothing> SetBalloon(long memoryBytes) =>
        Order("balloon", new QmpArguments.Balloon(memoryBytes), QmpJson.Default.Balloon);

    /// <summary>Reads certificates and a key from a folder, once: the files may go when it has answered.</summary>
    /// <param name="id">What <c>tls-creds</c> names.</param>
    /// <param name="folder">With ca-cert.pem and server- or client-cert.pem and -key.pem.</param>
    /// <param name="listens">The end that listens; it then demands a certificate of the other.</param>
    public static QmpCommand<QmpNothing> AddTlsCredentials(string id, string folder, bool listens) =>
        Order("object-add", new QmpArguments.AddTlsCredentials("tls-creds-x509", id, folder, listens ? "server" : "client", VerifyPeer: true), QmpJson.Default.AddTlsCredentials);

    public static QmpCommand<QmpNothing> DeleteObject(string id) =>
        Order("object-del", new QmpArguments.DeleteObject(id), QmpJson.Default.DeleteObject);

    /// <summary>Takes the oldest bytes out of a <c>ringbuf</c> character device, in base64; what nobody takes in time is overwritten by what is newer.</summary>
    public static QmpCommand<string> ReadRingBuffer(string device, int bytesMax) =>
        new("ringbuf-read", QmpJson.Default.String) { Arguments = JsonSerializer.SerializeToElement(new QmpArguments.RingBufferRead(device, bytesMax, "base64"), QmpJson.Default.RingBufferRead) };

    /// <summary>The guest's blocks of memory in the words of the monitor for people: QMP has no other way to ask for them.</summary>
    public static QmpCommand<string> DescribeMemoryBlocks { get; } =
        new("human-monitor-command", QmpJson.Default.String) { Arguments = JsonSerializer.SerializeToElement(new QmpArguments.HumanMonitorCommand("info ramblock"), QmpJson.Default.HumanMonitorCommand) };

    internal static QmpCommand<QmpNothing> NegotiateCapabilities(bool outOfBand) =>
        Order("qmp_capabilities", new QmpArguments.Capabilities(outOfBand ? ["oob"] : []), QmpJson.Default.Capabilities);

    private static QmpCommand<QmpNothing> Order(string name) => new(name, QmpJson.Default.QmpNothing);

    private static QmpCommand<QmpNothing> Order<TArguments>(string name, TArguments arguments, JsonTypeInfo<TArguments> type) =>
        new(name, QmpJson.Default.QmpNothing) { Arguments = JsonSerializer.SerializeToElement(arguments, type) };
}
