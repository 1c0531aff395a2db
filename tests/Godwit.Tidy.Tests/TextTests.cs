using System.Text.RegularExpressions;

namespace Godwit.Tidy.Tests;

/// <summary>What the tree may not say, and what it must.</summary>
public sealed partial class TextTests
{
    private static readonly string[] Required =
    [
        "README.md", "LICENSE", "run", "test", ".ci/run",
        "docs/architecture.md", "docs/style.md", "docs/dependencies.md", "docs/specification.md", "docs/migration.md",
    ];

    [Fact]
    public void The_documents_and_commands_that_people_look_for_are_there()
    {
        Assert.Equal([], Required.Except(Tree.Files, StringComparer.Ordinal));
    }

    [Fact]
    public void Nothing_is_left_open_in_the_code()
    {
        var open = from file in Tree.CSharp
                   where !file.StartsWith("tests/Godwit.Tidy.Tests/", StringComparison.Ordinal)
                   from line in Lines(file)
                   where LeftOpen().IsMatch(line.Text)
                   select $"{file}:{line.Number}: {line.Text.Trim()}";
        Assert.Empty(open);
    }

    [Fact]
    public void No_test_is_switched_off_or_waits_by_the_clock()
    {
        var switched = from file in Tree.CSharp
                       where file.StartsWith("tests/", StringComparison.Ordinal) && !file.StartsWith("tests/Godwit.Tidy.Tests/", StringComparison.Ordinal)
                       from line in Lines(file)
                       where SwitchedOff().IsMatch(line.Text)
                       select $"{file}:{line.Number}: {line.Text.Trim()}";
        Assert.Empty(switched);
    }

    [Fact]
    public void Every_document_has_one_title()
    {
        var wrong = from file in Tree.Files
                    where file.EndsWith(".md", StringComparison.Ordinal)
                    let titles = Title().Count(OutsideFences(Tree.Read(file)))
                    where titles != 1
                    select $"{file}: {titles} titles";
        Assert.Empty(wrong);
    }

    [Fact]
    public void Every_link_between_documents_leads_somewhere()
    {
        var broken = from file in Tree.Files
                     where file.EndsWith(".md", StringComparison.Ordinal)
                     from Match link in Link().Matches(OutsideFences(Tree.Read(file)))
                     let target = link.Groups["target"].Value.Split('#')[0]
                     where target.Length > 0 && !target.Contains("://", StringComparison.Ordinal)
                     let path = Path.Combine(Tree.Root, Path.GetDirectoryName(file) ?? "", target)
                     where !File.Exists(path) && !Directory.Exists(path)
                     select $"{file}: {target}";
        Assert.Empty(broken);
    }

    [Fact]
    public void Every_package_is_argued_in_the_list_of_dependencies()
    {
        var argued = Tree.Read("docs/dependencies.md");
        var silent = from Match package in PackageVersion().Matches(Tree.Read("Directory.Packages.props"))
                     let name = package.Groups["name"].Value
                     where !argued.Contains($"`{name}`", StringComparison.Ordinal)
                     select name;
        Assert.Empty(silent);
    }

    private static IEnumerable<(int Number, string Text)> Lines(string file) => Tree.Read(file).Split('\n').Select((text, index) => (index + 1, text));

    private static string OutsideFences(string text) => Fence().Replace(text, "");

    [GeneratedRegex(@"NotImplementedException|\b(TODO|FIXME|HACK|XXX)\b", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex LeftOpen();

    [GeneratedRegex(@"Skip\s*=\s*""|Assert\.True\(true\)|Task\.Delay\(|Thread\.Sleep", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex SwitchedOff();

    [GeneratedRegex(@"^# ", RegexOptions.Multiline, 1000)]
    private static partial Regex Title();

    [GeneratedRegex(@"(?<!\!)\[[^\]\n]+\]\((?<target>[^)\s]+)\)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Link();

    [GeneratedRegex(@"^```.*?^```", RegexOptions.Multiline | RegexOptions.Singleline, 1000)]
    private static partial Regex Fence();

    [GeneratedRegex(@"<PackageVersion Include=""(?<name>[^""]+)""", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex PackageVersion();
}
