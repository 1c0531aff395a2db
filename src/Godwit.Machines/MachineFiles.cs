namespace Godwit.Machines;

/// <summary>
/// Where a machine's files are. Folders apart, because QEMU is not trusted with what the agent believes:
/// <code>
///   machines/ID/   0700, the machine's own user: qmp.sock  rescue.*  console.*  migrate-*.sock  (and its disks)
///   records/ID/    0700, root: place.json  spec.json  process  end.json  *.log  *.log.1
///   records/ID/log a small tmpfs: qemu.log
///   keys/…/        0750, root and the machine's group: what QEMU reads once and can never change
/// </code>
/// What lies in the first is opened with the suspicion that QEMU has put something else there.
/// </summary>
internal sealed class MachineFiles(string dataFolder, MachineId id)
{
    /// <summary>The longest path that a unix socket can have (sun_path, its final zero not counted).</summary>
    private const int SocketPathLengthMax = 107;

    public MachineId Id { get; } = id;

    public string Folder { get; } = Path.Combine(MachinesFolder(dataFolder), id.ToString());

    public string RecordFolder { get; } = Path.Combine(RecordsFolder(dataFolder), id.ToString());

    public string Monitor => Path.Combine(Folder, "qmp.sock");

    /// <summary>The FIFOs <c>rescue.in</c> and <c>rescue.out</c>.</summary>
    public string Rescue => Path.Combine(Folder, "rescue");

    public string Console => Path.Combine(Folder, "console.sock");

    public string ConsoleLog => Path.Combine(RecordFolder, "console.log");

    public string OlderConsoleLog => Path.Combine(RecordFolder, "console.log.1");

    /// <summary>In memory: see <see cref="QemuLogPlace"/>.</summary>
    public string QemuLogFolder => Path.Combine(RecordFolder, "log");

    public string QemuLog => Path.Combine(QemuLogFolder, "qemu.log");

    public string OlderQemuLog => Path.Combine(RecordFolder, "qemu.log.1");

    public string PlaceFile => Path.Combine(RecordFolder, "place.json");

    public string SpecFile => Path.Combine(RecordFolder, "spec.json");

    public string ProcessFile => Path.Combine(RecordFolder, "process");

    public string EndFile => Path.Combine(RecordFolder, "end.json");

    public static string MachinesFolder(string dataFolder) => Path.Combine(Path.GetFullPath(dataFolder), "machines");

    /// <summary>Keys on their way to a QEMU, each in a folder of its own for the moment in which QEMU reads it.</summary>
    public static string KeysFolder(string dataFolder) => Path.Combine(Path.GetFullPath(dataFolder), "keys");

    public static string RecordsFolder(string dataFolder) => Path.Combine(Path.GetFullPath(dataFolder), "records");

    /// <summary>Whether machines can live below this folder at all: asked once at the start, rather than for each guest that then cannot start.</summary>
    /// <exception cref="MachineException">Its path is too long for sockets below it, or machines' users cannot get to it.</exception>
    public static void CheckDataFolder(string dataFolder)
    {
        new MachineFiles(dataFolder, new MachineId(Guid.Empty)).CheckSocketLength();
        for (var folder = MachinesFolder(dataFolder); folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (!File.GetUnixFileMode(folder).HasFlag(UnixFileMode.OtherExecute))
            {
                throw new MachineException(
                    $"QEMU runs as a user of its own for each machine, and no such user may pass through {folder}: run 'chmod o+x {folder}', or choose a data folder that is not below it.");
            }
        }
    }

    private void CheckSocketLength()
    {
        var longest = Path.Combine(Folder, "migrate-preempt.sock");
        if (System.Text.Encoding.UTF8.GetByteCount(longest) > SocketPathLengthMax)
        {
            throw new MachineException($"{longest} is too long for a unix socket ({SocketPathLengthMax} bytes): choose a data folder with a shorter path.");
        }
    }
}
