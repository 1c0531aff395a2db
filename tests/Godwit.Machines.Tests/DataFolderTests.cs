namespace Godwit.Machines.Tests;

public sealed class DataFolderTests : IDisposable
{
    private const UnixFileMode Open = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.OtherExecute;
    private readonly DirectoryInfo root = Directory.CreateTempSubdirectory("gw-");

    public void Dispose() => root.Delete(recursive: true);

    [Fact]
    public void A_data_folder_too_deep_for_sockets_is_refused_at_the_start()
    {
        var error = Assert.Throws<MachineException>(() => MachineFiles.CheckDataFolder(Path.Combine(root.FullName, new string('d', 60))));

        Assert.Contains("too long for a unix socket", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_data_folder_that_machines_users_cannot_get_to_is_refused_with_the_way_out()
    {
        var data = Path.Combine(root.FullName, "data");
        Directory.CreateDirectory(MachineFiles.MachinesFolder(data));
        File.SetUnixFileMode(data, Open);
        File.SetUnixFileMode(MachineFiles.MachinesFolder(data), Open);
        File.SetUnixFileMode(root.FullName, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);

        var error = Assert.Throws<MachineException>(() => MachineFiles.CheckDataFolder(data));
        Assert.Contains($"chmod o+x {root.FullName}'", error.Message, StringComparison.Ordinal);

        File.SetUnixFileMode(root.FullName, Open);
        MachineFiles.CheckDataFolder(data);
    }
}
