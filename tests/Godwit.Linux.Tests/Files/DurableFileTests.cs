using Godwit.Linux.Files;
using Godwit.Linux.Processes;

namespace Godwit.Linux.Tests.Files;

public sealed class DurableFileTests
{
    [Fact]
    public void Contents_are_replaced_whole_and_no_temporary_file_stays()
    {
        using var folder = new TemporaryFolder();
        DurableFile.Write(folder["record"], "first, and longer"u8);
        DurableFile.Write(folder["record"], "second"u8, UnixFileMode.UserRead | UnixFileMode.GroupRead);
        Assert.Equal("second", File.ReadAllText(folder["record"]));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.GroupRead, File.GetUnixFileMode(folder["record"]));
        Assert.Equal([folder["record"]], Directory.GetFileSystemEntries(folder.Path));
    }

    [Fact]
    public void A_full_disk_leaves_the_old_contents_and_is_named()
    {
        var refusal = Assert.Throws<LinuxException>(() => Godwit.Linux.Native.Descriptor.Open("/dev/full", Godwit.Linux.Native.OpenFlags.O_WRONLY).Write("x"u8, "to /dev/full"));
        Assert.Equal(Errno.ENOSPC, refusal.Error);
    }

    [Fact]
    [Trait("Needs", "root")]
    public void An_owner_and_mode_are_given_and_a_link_in_place_of_a_folder_is_refused()
    {
        Needs.Root();
        using var folder = new TemporaryFolder();
        var owner = new ProcessUser(61234, 61235);
        Ownership.MakeFolder(folder["vm"], UnixFileMode.UserRead | UnixFileMode.UserExecute, owner);
        Ownership.MakeFolder(folder["vm"], UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, owner);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(folder["vm"]));
        File.CreateSymbolicLink(folder["trap"], "/etc");
        Assert.Throws<LinuxException>(() => Ownership.MakeFolder(folder["trap"], UnixFileMode.UserRead, owner));
    }

    [Fact]
    public void What_a_crash_left_of_a_write_is_removed_and_nothing_else()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["deep/er"]);
        Directory.CreateDirectory(folder["others"]);
        Directory.CreateDirectory(folder["outside"]);
        var cut = $"store.{Guid.NewGuid():N}.new";
        string[] ours = [cut, $"deep/er/{cut}"];
        string[] notOurs = ["store", "a.new", "something.else.new", $"others/{cut}", $"outside/{cut}"];
        foreach (var name in ours.Concat(notOurs))
        {
            File.WriteAllText(folder[name], "x");
        }

        File.CreateSymbolicLink(folder["deep/link"], folder["outside"]);
        DurableFile.RemoveLeftovers(folder["deep"]);
        DurableFile.RemoveLeftovers(folder["."], "others", "outside");
        DurableFile.RemoveLeftovers(folder["missing"]);

        Assert.All(ours, name => Assert.False(File.Exists(folder[name]), name));
        Assert.All(notOurs, name => Assert.True(File.Exists(folder[name]), name));
    }

    [Fact]
    public void A_write_that_fails_leaves_nothing_beside_the_old_contents()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["a/record"]); // A folder stands where the file should go: the last step fails.
        Assert.ThrowsAny<Exception>(() => DurableFile.Write(folder["a/record"], "new"u8));
        Assert.Empty(Directory.GetFiles(folder["a"]));
    }

    [Fact]
    public async Task Who_waits_for_a_lock_gets_it_when_it_is_let_go_and_gives_up_when_it_is_not()
    {
        using var folder = new TemporaryFolder();
        var stopping = TestContext.Current.CancellationToken;
        using var holder = FileLock.TryAcquire(folder["lock"])!;
        Assert.Null(await FileLock.AcquireAsync(folder["lock"], TimeSpan.Zero, TimeProvider.System, stopping));

        var waiting = FileLock.AcquireAsync(folder["lock"], TimeSpan.FromMinutes(2), TimeProvider.System, stopping);
        Assert.False(waiting.IsCompleted);
        holder.Dispose();
        using var taken = await waiting;
        Assert.NotNull(taken);
        Assert.Null(FileLock.TryAcquire(folder["lock"]));
    }

    [Fact]
    public void A_lock_whose_file_its_holder_deleted_is_anew_for_the_next()
    {
        using var folder = new TemporaryFolder();
        using (FileLock.TryAcquire(folder["lock"]))
        {
            File.Delete(folder["lock"]);
            using var next = FileLock.TryAcquire(folder["lock"]);
            Assert.NotNull(next);
            Assert.Null(FileLock.TryAcquire(folder["lock"]));
        }
    }

    [Fact]
    public void A_lock_is_held_by_one_and_freed_with_its_holder()
    {
        using var folder = new TemporaryFolder();
        using (var first = FileLock.TryAcquire(folder["lock"]))
        {
            Assert.NotNull(first);
            Assert.Null(FileLock.TryAcquire(folder["lock"]));
        }

        using var second = FileLock.TryAcquire(folder["lock"]);
        Assert.NotNull(second);
    }
}
