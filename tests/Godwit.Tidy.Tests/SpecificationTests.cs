using System.Text.RegularExpressions;

namespace Godwit.Tidy.Tests;

/// <summary>The specification names tests; a promise whose test was renamed or removed is a promise that nobody keeps.</summary>
public sealed partial class SpecificationTests
{
    [Fact]
    public void Every_test_that_the_specification_names_is_in_the_tree()
    {
        var named = NamedTest().Matches(Tree.Read("docs/specification.md")).Select(match => (Class: match.Groups["class"].Value, Method: match.Groups["method"].Value)).Distinct().ToList();
        Assert.True(named.Count > 40, $"The specification names only {named.Count} tests.");
        var tests = Tree.CSharp.Where(file => file.StartsWith("tests/", StringComparison.Ordinal)).Select(Tree.Read).ToList();
        var missing = named.Where(test => !tests.Any(text => text.Contains($"class {test.Class}", StringComparison.Ordinal) && text.Contains($" {test.Method}(", StringComparison.Ordinal)));
        Assert.Empty(missing);
    }

    [GeneratedRegex(@"`(?<class>[A-Z][A-Za-z]+)\.(?<method>[A-Z][A-Za-z0-9]*_[A-Za-z0-9_]+)`", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex NamedTest();
}
