using Godwit.Linux.Processes;

namespace Godwit.Containers.Tests;

public sealed class SubordinateIdTests
{
    private const string Text = "# a comment\nanna:100000:65536\nbob:165536:1000\nbob:200000:65536\nbroken:line\n:::\nhuge:x:65536\n";

    [Fact]
    public void The_first_range_that_is_long_enough_is_taken_and_lines_that_are_none_are_passed_over()
    {
        Assert.Equal(100_000u, SubordinateIds.Find(Text, "anna"));
        Assert.Equal(200_000u, SubordinateIds.Find(Text, "bob"));
        Assert.Null(SubordinateIds.Find(Text, "huge"));
        Assert.Null(SubordinateIds.Find("", "anna"));
    }

    [Fact]
    public void A_free_range_meets_no_other()
    {
        Assert.Equal(265_536u, SubordinateIds.FindFree(Text));
        Assert.Equal(100_000u, SubordinateIds.FindFree(""));
        Assert.Throws<InvalidRequestException>(() => SubordinateIds.FindFree("last:2147483000:65536\n"));
    }

    [Fact]
    public void The_default_user_is_given_ids_once_and_others_are_refused_with_the_line_that_helps()
    {
        var folder = Directory.CreateTempSubdirectory("godwit-subids-");
        try
        {
            var (users, groups) = (Path.Combine(folder.FullName, "subuid"), Path.Combine(folder.FullName, "subgid"));
            File.WriteAllText(users, "anna:100000:65536");
            var first = SubordinateIds.Take("default", users, groups);
            Assert.Equal(new IdMap(165_536, 100_000, 65_536), first);
            Assert.Equal(first, SubordinateIds.Take("default", users, groups));
            Assert.Equal("anna:100000:65536\ngodwit-remap:165536:65536\n", File.ReadAllText(users));
            var refusal = Assert.Throws<InvalidRequestException>(() => SubordinateIds.Take("anna", users, groups));
            Assert.Contains("'anna:165536:65536'", refusal.Message, StringComparison.Ordinal);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
