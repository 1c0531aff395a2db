using Godwit.Builder.Contexts;
using Godwit.Builder.Dockerfiles;

namespace Godwit.Builder.Tests;

public sealed class IgnoreTests
{
    private static readonly IgnoreRules Rules = IgnoreRules.Read("# comment\n\n*.md\n!README.md\n/build/\n**/*.o\nsrc/**/tmp\n a?c \n[x-z]*\n./dot/../kept\n!kept/inside\n");

    [Theory]
    [InlineData("notes.md", true)]
    [InlineData("README.md", false)]
    [InlineData("docs/notes.md", false)]
    [InlineData("build", true)]
    [InlineData("build/x/y", true)]
    [InlineData("sub/build", false)]
    [InlineData("a.o", true)]
    [InlineData("deep/er/a.o", true)]
    [InlineData("src/tmp", true)]
    [InlineData("src/a/b/tmp/file", true)]
    [InlineData("abc", true)]
    [InlineData("abbc", false)]
    [InlineData("yes", true)]
    [InlineData("kept/x", true)]
    [InlineData("kept/inside/x", false)]
    public void Paths_are_left_out_as_the_last_rule_that_fits_says(string path, bool ignored) => Assert.Equal(ignored, Rules.Ignores(path));

    [Fact]
    public void Hostile_patterns_cost_little()
    {
        var many = IgnoreRules.Read(string.Join('/', Enumerable.Repeat("**/a", 200)) + "/b");
        Assert.False(many.Ignores(string.Join('/', Enumerable.Repeat("a", 400))));
        Assert.False(Glob.Matches(string.Concat(Enumerable.Repeat("*a", 500)) + "b", new string('a', 5000)));
    }

    [Theory]
    [InlineData("*", "abc", true)]
    [InlineData("*", "a/b", false)]
    [InlineData("a*/b", "axx/b", true)]
    [InlineData("[^a]b", "cb", true)]
    [InlineData("[a-c]x", "bx", true)]
    [InlineData("\\*", "*", true)]
    [InlineData("\\*", "x", false)]
    [InlineData("[", "[", true)]
    public void Patterns_match_as_Gos_do(string pattern, string name, bool matches) => Assert.Equal(matches, Glob.Matches(pattern, name));
}
