using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Godwit.Tidy.Tests;

/// <summary>A file fits in a head, a method on a screen.</summary>
public sealed class SizeTests
{
    private const int FileLinesMax = 400;
    private const int MethodLinesMax = 70;

    [Fact]
    public void No_file_is_longer_than_its_limit()
    {
        var longer = Tree.CSharp
            .Select(file => (file, lines: Tree.Read(file).AsSpan().Count('\n')))
            .Where(entry => entry.lines > FileLinesMax)
            .Select(entry => $"{entry.file}: {entry.lines} lines");
        Assert.Empty(longer);
    }

    [Fact]
    public void No_method_is_longer_than_its_limit()
    {
        var longer =
            from file in Tree.CSharp
            let root = CSharpSyntaxTree.ParseText(Tree.Read(file), new CSharpParseOptions(LanguageVersion.Preview), cancellationToken: TestContext.Current.CancellationToken).GetRoot(TestContext.Current.CancellationToken)
            from method in root.DescendantNodes()
            where method is BaseMethodDeclarationSyntax or LocalFunctionStatementSyntax or AccessorDeclarationSyntax
            let span = method.SyntaxTree.GetLineSpan(method.Span)
            let lines = span.EndLinePosition.Line - span.StartLinePosition.Line + 1
            where lines > MethodLinesMax
            select $"{file}:{span.StartLinePosition.Line + 1}: {lines} lines";
        Assert.Empty(longer);
    }
}
