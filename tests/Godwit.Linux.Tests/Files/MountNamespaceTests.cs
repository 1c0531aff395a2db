using Godwit.Linux.Files;

namespace Godwit.Linux.Tests.Files;

[Trait("Needs", "root")]
public sealed class MountNamespaceTests
{
    [Fact]
    public void What_is_read_only_in_it_cannot_be_written_through_it_and_can_outside()
    {
        Needs.Root();
        using var folder = new TemporaryFolder();
        var (program, other) = (folder["program"], folder["other"]);
        File.WriteAllText(program, "old");
        using var place = MountNamespace.Create([], [program, folder["absent"]]);

        Assert.Throws<IOException>(() => place.Run(() => Write(program, "from inside")));
        Assert.Equal("old", place.Run(() => File.ReadAllText(program)));
        place.Run(() => Write(other, "from inside"));

        Assert.Equal("from inside", File.ReadAllText(other));
        Write(program, "from outside");
        Assert.Equal("from outside", place.Run(() => File.ReadAllText(program)));
    }

    private static bool Write(string path, string text)
    {
        File.WriteAllText(path, text);
        return true;
    }
}
